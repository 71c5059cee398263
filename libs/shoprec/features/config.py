"""Settings of the jobs that describe users, items and texts."""

from typing import Literal

from pydantic import Field, model_validator

from shoprec.settings import Settings


class IndexSettings(Settings):
    """Settings of user_index."""

    ranges: int = Field(64, ge=1, le=4096, description="ranges of ids that are numbered in parallel; about 2 a core")


class ItemIndexSettings(IndexSettings):
    """Settings of item_index."""

    negative_power: float = Field(
        0.75,
        ge=0,
        le=1,
        description="power of an item's popularity in its chance to be drawn as a negative; 0: all alike",
    )


class ProfileSettings(Settings):
    """Settings of user_profiles."""

    half_life_days: float = Field(60.0, gt=0, le=3650, description="days after which a purchase counts half for taste")
    taste_prior: float = Field(
        10.0,
        gt=0,
        le=1e6,
        description="decayed lines of the population's taste added to each user's, so that few say little",
    )
    tastes: int = Field(32, ge=1, le=1000, description="departments, categories, brands kept for a user, each")
    price_prior: float = Field(10.0, ge=0.1, le=1e6, description="lines at the median price added to each user's")
    response_prior: float = Field(
        5.0, gt=0, le=1e6, description="lines bought by chance added to both sides of a response"
    )
    gap_prior: float = Field(2.0, gt=0, le=1e6, description="gaps of the population's mean added to each user's")
    new_days: float = Field(28.0, ge=0, le=3650, description="days since the first purchase below which a user is new")
    lapsing_after: float = Field(2.0, gt=0, le=1000, description="expected gaps without purchase, beyond which lapsing")
    lapsed_after: float = Field(4.0, gt=0, le=1000, description="expected gaps without purchase, beyond which lapsed")

    @model_validator(mode="after")
    def _in_order(self) -> "ProfileSettings":
        if self.lapsed_after <= self.lapsing_after:
            raise ValueError("lapsed_after must be above lapsing_after")
        return self


class ItemFeatureSettings(Settings):
    """Settings of item_features."""

    trend_prior: float = Field(5.0, gt=0, le=1e6, description="lines added to both sides of a trend")
    repeat_prior: float = Field(
        5.0, gt=0, le=1e6, description="buyers with the shop's repeat rate added to each item's"
    )
    season_prior: float = Field(20.0, gt=0, le=1e6, description="lines spread over the year like the shop's, added")
    company_prior: float = Field(5.0, gt=0, le=1e6, description="baskets of the usual size added to each item's")


class TextSettings(Settings):
    """Settings of text_embeddings."""

    encoder: Literal["minilm", "minilm_bf16", "fastest_minilm", "hashed"] = Field(
        "minilm",
        description="minilm: pretrained sentence encoder; minilm_bf16: in bfloat16, two to three times as fast on "
        "processors made for it; fastest_minilm: whichever of the two suits the driver's processor; hashed: hashed "
        "words, light and without a model",
    )
    tasks: int = Field(2, ge=1, le=10_000, description="Spark tasks that encode, each with a model of its own (1 GiB)")
    threads: int = Field(1, ge=1, le=64, description="threads of torch in one task; tasks x threads: the cores")
    batch: int = Field(64, ge=1, le=4096, description="texts a forward pass of the encoder")
