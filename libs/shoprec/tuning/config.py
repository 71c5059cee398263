"""Settings of tune, and the space that it looks through."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, RootModel, field_validator, model_validator

from shoprec.settings import Settings


class Dimension(Settings):
    """One setting that is looked for: between two bounds, or among choices."""

    low: float | None = Field(None, description="least value")
    high: float | None = Field(None, description="greatest value")
    log: bool = Field(False, description="whether the tenth part is as far as ten times: for what is above 0")
    whole: bool = Field(False, description="whether only whole numbers are meant")
    choices: tuple[Any, ...] = Field((), description="the values, where there are few")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        bounds = (self.low, self.high)
        if bool(self.choices) == (None not in bounds) or (self.choices and bounds != (None, None)):
            raise ValueError("give low and high, or choices")
        if not self.choices and not self.low < self.high:
            raise ValueError(f"low ({self.low}) is not below high ({self.high})")
        if self.log and not (self.low or 0) > 0:
            raise ValueError("log needs a low above 0")
        return self


class Space(RootModel[dict[str, dict[str, Dimension]]]):
    """Source -> path of a setting, from the job on -> what it may be."""

    @field_validator("root")
    @classmethod
    def _paths_begin_with_jobs(cls, told: dict[str, dict[str, Dimension]]) -> dict[str, dict[str, Dimension]]:
        for source, dimensions in told.items():
            if not dimensions:
                raise ValueError(f"{source} names no setting")
            if short := [path for path in dimensions if path.count(".") < 1]:
                raise ValueError(f"{source}: {short[0]} is no path: write job.setting")
        return told


class TuneConfig(Settings):
    """How long is looked for what, and by which figure."""

    PLACE: ClassVar[frozenset[str]] = frozenset(["minutes", "trials", "sources", "storage"])

    minutes: float = Field(30, gt=0, le=10_080, description="after which no further trial begins")
    sources: tuple[str, ...] = Field((), description="of candidates.sources; none: all whose settings the space names")
    folds: int = Field(
        3, ge=1, le=26, description="days that a trial is judged on, each a horizon before the other; the latest first"
    )
    metric: str = Field(
        "ndcg@10",
        pattern=r"^(precision|recall|f1|hit_rate|mrr|ndcg|map)@[1-9]\d?$",
        description="precision, recall, f1, hit_rate, mrr, ndcg or map @ depth",
    )
    list: Literal["all", "discovery"] = Field(
        "discovery", description="all: lists as they are; discovery: without what the user bought before"
    )
    users: int = Field(20_000, ge=10, le=5_000_000, description="users that trials are judged by, about, by a hash")
    trials: int = Field(100, ge=1, le=100_000, description="of one source, at most")
    space: str = Field("", description="YAML file of what is looked through; '': conf/tuning.yml")
    storage: str = Field(
        "", description="database URL of the trials; '': a file below `files`, where these are on a local disk"
    )
