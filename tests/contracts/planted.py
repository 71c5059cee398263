"""A shop with planted answers: three tastes, a staple for each user, items that rise, and a user without purchases."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from shoprec.moments import MICROS_A_DAY
from shoprec.retrieval.inputs import Inputs, days_of, users_with_seen

AS_OF = date(2020, 6, 1)
USERS, ITEMS, KINDS, VISITS = 48, 36, 3, 16
#: One item of each kind; sold in the last two weeks alone, to every fourth user.
RISING = (33, 34, 35)
#: In the index, without purchases.
NEWCOMER = "u999"


def kind(number: int) -> int:
    """The kind of an item, the taste of a user."""
    return number % KINDS


def staple(user: int) -> int:
    """What the user buys on each visit: an item of their taste."""
    return kind(user) + KINDS * (user // KINDS % 4)


def market(user: int) -> str:
    """The home market."""
    return f"m{user % 2}"


def lines() -> list[tuple[int, int, date]]:
    """(user, item, day) of every purchase: weekly visits, each with the staple and three of eight liked items."""
    draw, rows = np.random.default_rng(11), []
    for user in range(USERS):
        own = [item for item in range(ITEMS) if kind(item) == kind(user) and item not in RISING]
        liked = draw.choice([item for item in own if item != staple(user)], size=7, replace=False)
        for visit in range(VISITS):
            day = AS_OF - timedelta(days=1 + 7 * visit + user % 7)
            rows.append((user, staple(user), day))
            rows += [(user, int(item), day) for item in draw.choice(liked, size=3, replace=False)]
            if visit < 2 and user % 4 == 0:
                rows.append((user, RISING[kind(user)], day))
    return rows


@dataclass(frozen=True)
class Planted:
    """The shop's tables."""

    spark: SparkSession

    @cached_property
    def purchases(self) -> DataFrame:
        """Lines, as ``purchases_of`` gives them."""
        rows = [
            (f"u{u:03d}", i, market(u), f"b{u}-{day}", day, (day - AS_OF).days * MICROS_A_DAY) for u, i, day in lines()
        ]
        return self.spark.createDataFrame(
            rows, "user_id string, item_idx int, market string, basket_id string, day date, at long"
        ).cache()

    @cached_property
    def user_index(self) -> DataFrame:
        """Users with numbers and home markets."""
        rows = [(f"u{u:03d}", u, market(u)) for u in range(USERS)] + [(NEWCOMER, USERS, "m1")]
        return self.spark.createDataFrame(rows, "user_id string, user_idx int, market string")

    @cached_property
    def item_index(self) -> DataFrame:
        """Items with numbers."""
        rows = [(f"i{i:03d}", i, float(-np.log(ITEMS))) for i in range(ITEMS)]
        return self.spark.createDataFrame(rows, "item_id string, item_idx int, log_q float")

    @cached_property
    def samples(self) -> DataFrame:
        """One row a user and item bought."""
        counts: dict[tuple[int, int], int] = {}
        for user, item, _ in lines():
            counts[user, item] = counts.get((user, item), 0) + 1
        rows = [(u, i, float(n), 1.0, 1.0) for (u, i), n in counts.items()]
        return self.spark.createDataFrame(
            rows, "user_idx int, item_idx int, weight float, importance float, age_days float"
        )

    @cached_property
    def inputs(self) -> Inputs:
        """What every source starts from."""
        days = days_of(self.purchases).cache()
        users = users_with_seen(self.user_index, days).cache()
        items = self.item_index.select("item_id", "item_idx")
        nothing = self.spark.createDataFrame([], "user_id string, item_idx int")
        return Inputs(self.purchases, days, users, items, items, nothing, AS_OF)

    @cached_property
    def shuffled(self) -> Inputs:
        """The same with every row elsewhere."""
        parts = self.inputs
        return Inputs(
            parts.purchases.repartition(3, "item_idx").sortWithinPartitions("day", ascending=False),
            parts.days.repartition(3, "item_idx").sortWithinPartitions("day"),
            parts.users.repartition(3).sortWithinPartitions("user_id", ascending=False),
            parts.items.repartition(3).sortWithinPartitions("item_idx", ascending=False),
            parts.offered.repartition(3).sortWithinPartitions("item_idx"),
            parts.sent_back,
            AS_OF,
        )


def bought_by(user: int) -> set[int]:
    """What the user has ever bought."""
    return {item for one, item, _ in lines() if one == user}
