"""The sources of candidates: what each is told, and one path for each of the three kinds.

A new source adds a folder ``models/<name>/`` and a line of the setting ``candidates.sources``:

- ``embeddings``: a model whose vectors stand in user_embeddings and item_embeddings;
- ``neighbours``: a kind of item_neighbours, scored by what the user bought;
- ``list``: ``models/<name>/model.py`` with ``CONFIG`` (its settings class) and
  ``propose(inputs, config, new, bought) -> user_id, item_idx, score``.
"""

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.gold import EMBEDDED, NEIGHBOUR_KINDS, SOURCES
from shoprec.models.co_visit import model as co_visit
from shoprec.models.item_knn import model as item_knn
from shoprec.models.linear import model as linear
from shoprec.retrieval.inputs import Inputs
from shoprec.retrieval.lists import ranked
from shoprec.retrieval.top_k import top_k, unmasked
from shoprec.settings import Settings, nearest


class Source(Settings):
    """One source: its kind, and how many items of either sort it proposes to a user, in one list."""

    kind: Literal["embeddings", "neighbours", "list"] = Field(description="the path that makes its candidates")
    of: str = Field("", description="model, kind of neighbours, or folder that it draws on; empty: its own name")
    new: int = Field(60, ge=0, le=10_000, description="items that the user never bought, for each user")
    bought: int = Field(40, ge=0, le=10_000, description="items that the user bought before, for each user")
    home_market: bool = Field(
        False, description="of embeddings: whether to leave out what was ever sold, but never in the user's home market"
    )
    options: dict[str, Any] = Field({}, description="settings of a list's or neighbours' model, by its config.py")

    @model_validator(mode="after")
    def _proposes(self) -> "Source":
        if not self.new + self.bought:
            raise ValueError("new and bought are both 0: the source would propose nothing")
        if self.home_market and self.kind != "embeddings":
            raise ValueError(f"home_market is for sources of embeddings, not of kind {self.kind}")
        return self


#: The sources that the suite comes with; a line here, or of a model of embeddings a name in ``EMBEDDED``, is what a new
#: source needs.
KNOWN: Mapping[str, Mapping[str, Any]] = {
    **{model: {"kind": "embeddings"} for model in EMBEDDED},
    "item_knn": {"kind": "neighbours", "of": "similar"},
    "bought_together": {"kind": "neighbours"},
    "co_visit": {"kind": "neighbours"},
    "linear": {"kind": "neighbours"},
    "popular": {"kind": "list"},
    "trending": {"kind": "list"},
    "buy_again": {"kind": "list", "new": 0, "bought": 100},
}


#: How a user's items speak through the neighbours of each kind.
_SPEAKING = {"similar": item_knn, "bought_together": item_knn, "co_visit": co_visit, "linear": linear}


class CandidatesConfig(Settings):
    """Which sources propose. A list of names takes them as they come; a mapping says more about each."""

    sources: dict[str, Source] = Field(
        {name: Source(**KNOWN[name]) for name in SOURCES},
        description="names, e.g. [als, popular], or name: {kind, of, new, bought, home_market, options}; unsaid values "
        "as they come",
        min_length=1,
    )

    @property
    def neighbour_kinds(self) -> set[str]:
        """The kinds of item_neighbours that sources draw on."""
        return {source.of or name for name, source in self.sources.items() if source.kind == "neighbours"}

    @property
    def models(self) -> set[str]:
        """The models of embeddings that sources draw on."""
        return {source.of or name for name, source in self.sources.items() if source.kind == "embeddings"}

    @field_validator("sources", mode="before")
    @classmethod
    def _known_ones(cls, told: Any) -> Any:
        if isinstance(told, list | tuple):
            told = {str(name): {} for name in told}
        return {name: _filled(name, values) for name, values in told.items()} if isinstance(told, Mapping) else told

    @model_validator(mode="after")
    def _complete(self) -> "CandidatesConfig":
        for name, source in self.sources.items():
            config_of(name, source)
        return self


@dataclass(frozen=True)
class Drawn:
    """Where the first two kinds draw from: given a name, the rows of the lake."""

    embeddings: Callable[[str], tuple[DataFrame, DataFrame]]
    neighbours: Callable[[str], DataFrame]


def candidates(sources: Mapping[str, Source], inputs: Inputs, drawn: Drawn) -> DataFrame:
    """The lists of all sources: source, market, user_id, item_id, score, rank (1 … new + bought, by score).

    One plan for all, so that no source waits for the last task of another; each has shuffles of its own. What may not
    be offered (``Inputs.offered``) has no place in a list. What a user has sent back is left out; the list is that much
    shorter.

    :param drawn: ``embeddings(model)`` gives (user_id, vector) and (item_id, vector); ``neighbours(kind)`` gives
        item_id, neighbour_id, similarity
    """
    lists = (_list(name, source, inputs, drawn) for name, source in sources.items())
    return functools.reduce(DataFrame.unionByName, lists)


def _list(name: str, source: Source, inputs: Inputs, drawn: Drawn) -> DataFrame:
    """The lists of one source."""
    scored = _proposed(name, source, inputs, drawn)
    kept = scored.join(inputs.sent_back, on=["user_id", "item_idx"], how="left_anti")
    return ranked(kept, inputs.users, inputs.offered).withColumn("source", F.lit(name))


def _proposed(name: str, source: Source, inputs: Inputs, drawn: Drawn) -> DataFrame:
    """What one source proposes: user_id, item_idx, score."""
    of, config = source.of or name, config_of(name, source)
    if source.kind == "embeddings":
        users, items = drawn.embeddings(of)
        users = users.select("user_id", "vector").join(inputs.users, on="user_id", how="inner")
        items = items.select("item_id", "vector").join(inputs.offered, on="item_id", how="inner")
        masked = _by_market(users, items, inputs) if source.home_market else unmasked(users, items)
        return top_k(*masked, source.new, source.bought)
    if source.kind == "neighbours":
        return _SPEAKING[of].propose(inputs, drawn.neighbours(of), config, source.new, source.bought)
    return _folder(of).propose(inputs, config, source.new, source.bought)


def _by_market(users: DataFrame, items: DataFrame, inputs: Inputs) -> tuple[DataFrame, DataFrame]:
    """Every item for the users of markets where it was sold, and for all users where it never was."""
    market = F.xxhash64("market")
    sold_in = inputs.purchases.groupBy("item_idx").agg(F.collect_set(market).alias("masks"))
    return users.withColumn("mask", market), items.join(sold_in, on="item_idx", how="left")


def _filled(name: str, told: Any) -> Any:
    if isinstance(told, Source):
        return told
    values = {**KNOWN.get(name, {}), **(told or {})}
    if "kind" not in values:
        raise ValueError(f"source {name!r} is unknown and names no kind; {nearest(name, KNOWN)}")
    return values


def config_of(name: str, source: Source) -> Settings | None:
    """The typed settings of the source's model.

    :raises ValueError: an option, a kind of neighbours or a folder is unknown
    """
    of = source.of or name
    if source.kind == "list":
        return _folder(of).CONFIG(**source.options)
    if source.kind == "neighbours":
        if of not in NEIGHBOUR_KINDS:
            raise ValueError(f"source {name!r} draws on unknown neighbours {of!r}; {nearest(of, NEIGHBOUR_KINDS)}")
        return _SPEAKING[of].CONFIG(**source.options)
    if source.options:
        raise ValueError(f"source {name!r} of embeddings takes no options; its model's own job has them")
    return None


def _folder(name: str) -> Any:
    try:
        return importlib.import_module(f"shoprec.models.{name}.model")
    except ModuleNotFoundError as error:
        lists = [known for known, values in KNOWN.items() if values["kind"] == "list"]
        raise ValueError(f"no source lies in models/{name}; {nearest(name, lists)}") from error
