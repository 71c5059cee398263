"""What is planted in a simulated shop: its options, and what follows from the index of a user, an item or a cluster."""

import hashlib
import math
from collections.abc import Mapping
from datetime import date
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pyspark.sql import Column
from pyspark.sql import functions as F

from shoprec.errors import ConfigError
from shoprec.settings import Settings, nearest

#: Kinds of dirt, in the order in which they share the dice: an event has one at most.
DIRT = ("missing_user", "bad_value", "unknown_item", "duplicate", "redelivered", "corrected", "late")

_share = {"ge": 0.0, "le": 1.0}


class SimulatorOptions(Settings):
    """How large the shop is, what is planted, and how dirty its data is. Shares are of events unless said otherwise."""

    users: int = Field(2000, ge=1, description="users")
    items: int = Field(480, ge=1, description="items; at least one a cluster")
    days: int = Field(120, ge=1, description="days over which events happen")
    events_per_user: int = Field(50, ge=1, description="events of a user on average; few users have most")
    seed: int = Field(1, description="another seed, another shop")
    start: date = Field(date(2020, 1, 6), description="first day")
    clusters: int = Field(8, ge=1, description="clusters of taste; an item's is its category")
    markets: int = Field(2, ge=1, description="markets; a user has one")
    taste_share: float = Field(0.8, **_share, description="drawn from the user's own cluster; the rest from any")
    price_sensitive_share: float = Field(0.4, **_share, description="users who take the cheaper of two items")
    promotion_share: float = Field(0.1, **_share, description="items of a week that sell at a quarter less")
    trend_share: float = Field(0.2, **_share, description="drawn by the cluster's rising item on the last day")
    repeat_share: float = Field(0.2, **_share, description="purchases of the user's staple, every 7, 14 or 28 days")
    heavy_user_share: float = Field(0.0, **_share, description="by one user, besides that user's usual share")
    common_item_share: float = Field(0.0, **_share, description="of one item, besides that item's usual share")
    view_share: float = Field(0.2, **_share, description="views")
    cart_share: float = Field(0.1, **_share, description="additions to the cart")
    return_share: float = Field(0.01, **_share, description="returns")
    missing_user_share: float = Field(0.005, **_share, description="rows without a user")
    bad_value_share: float = Field(0.002, **_share, description="rows whose quantity is no number")
    unknown_item_share: float = Field(0.002, **_share, description="rows with an item that is not in the catalogue")
    duplicate_share: float = Field(0.01, **_share, description="rows that stand twice in their file")
    redelivered_share: float = Field(0.01, **_share, description="rows that come again in the next file")
    corrected_share: float = Field(0.01, **_share, description="events of which a correction arrives two days later")
    late_share: float = Field(0.02, **_share, description="rows that arrive 3 to 10 days late")
    file_days: int = Field(7, ge=1, description="days of arrival that a file of transactions holds")
    delivered_days: int | None = Field(None, ge=0, description="only files that end by this day are there; null: all")

    @classmethod
    def of(cls, options: Mapping[str, Any], dataset: str) -> Self:
        """The options of a dataset in a shop's YAML.

        :raises ConfigError: an option is unknown (the nearest is named) or out of range
        """
        try:
            return cls(**options)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            if first["type"] == "extra_forbidden":
                hint = nearest(name, cls.model_fields)
                raise ConfigError(f"dataset {dataset}: there is no option {name!r}; {hint}") from error
            raise ConfigError(f"dataset {dataset}: options.{name}: {first['msg']}") from error

    @model_validator(mode="after")
    def _shares_leave_room(self) -> Self:
        if self.items < self.clusters:
            raise ValueError(f"{self.items} items cannot fill {self.clusters} clusters")
        for what, names in (("kinds of dirt", DIRT), ("kinds of event", ("view", "cart", "return"))):
            total = sum(getattr(self, f"{name}_share") for name in names)
            if total > 1:
                raise ValueError(f"the shares of {what} sum to {total:g}, above 1")
        return self

    @property
    def digest(self) -> int:
        """A positive long that tells this shop from any other; how much of it was delivered does not matter."""
        # Of a shop without them it is what it was before there were such shares.
        none = {name for name in ("heavy_user_share", "common_item_share") if not getattr(self, name)}
        told = self.model_dump_json(exclude={"delivered_days"} | none)
        return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big") >> 1

    def draw(self, what: str, *of: Column) -> Column:
        """A number in [0, 1) that is always the same for ``what`` of the indices ``of``."""
        bits = F.shiftrightunsigned(F.xxhash64(F.lit(self.seed), F.lit(what), *of), 11)
        return bits.cast("double") / float(1 << 53)

    def index(self, what: str, size: Column | int, *of: Column) -> Column:
        """An index in [0, size), drawn evenly for ``what`` of ``of``."""
        return F.floor(self.draw(what, *of) * size)


# --- i is the index of an item, u of a user, k of a cluster ----------------------------------------------------------


def user_id(u: Column) -> Column:
    """The user's name."""
    return F.concat(F.lit("u"), u)


def item_id(i: Column) -> Column:
    """The item's name."""
    return F.concat(F.lit("i"), i)


def taste(options: SimulatorOptions, u: Column) -> Column:
    """The user's cluster of taste."""
    return options.index("taste", options.clusters, u)


def price_sensitive(options: SimulatorOptions, u: Column) -> Column:
    """Whether the user takes the cheaper of two items."""
    return options.draw("sensitive", u) < options.price_sensitive_share


def period(options: SimulatorOptions, u: Column) -> Column:
    """Days between the user's purchases of the staple: 7, 14 or 28."""
    return F.lit(7) * F.pow(2, options.index("period", 3, u)).cast("long")


def staple(options: SimulatorOptions, u: Column) -> Column:
    """The item that the user buys again and again, out of the own cluster."""
    return popular_item(options, taste(options, u), options.draw("staple", u))


def cluster(options: SimulatorOptions, i: Column) -> Column:
    """The item's cluster."""
    return i % options.clusters


def popular_item(options: SimulatorOptions, k: Column, chance: Column) -> Column:
    """The item of cluster ``k`` at ``chance`` in [0, 1): the n-th item's share falls as n ** -2/3."""
    size = F.floor((F.lit(options.items - 1) - k) / options.clusters) + 1
    return F.floor(size * chance * chance * chance) * options.clusters + k


def rising(options: SimulatorOptions, k: Column) -> Column:
    """The item of cluster ``k`` that draws more and more events."""
    return popular_item(options, k, options.draw("rising", k))


def price(options: SimulatorOptions, i: Column) -> Column:
    """The item's list price, 1 to 50, evenly over its logarithm."""
    return F.round(F.exp(options.draw("price", i) * math.log(50)), 2)


def promoted(options: SimulatorOptions, i: Column, week: Column) -> Column:
    """Whether the item sells at a quarter less in that week of the shop."""
    return options.draw("promoted", i, week) < options.promotion_share
