"""Which of the items that were ever sold may be proposed."""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

#: A catalogue that lists less of what was bought lately is taken for one that does not fit.
LEAST_LISTED = 0.5


@dataclass(frozen=True)
class Offer:
    """The items that may be proposed, and how much of what is sold the catalogue does not list.

    ``items``: item_id, item_idx. ``unlisted`` of ``sold`` items, and ``late_unlisted`` of ``late`` lines bought lately,
    are not in the catalogue.
    """

    items: DataFrame
    sold: int
    unlisted: int
    late: int
    late_unlisted: int

    @property
    def fits(self) -> bool:
        """Whether what the catalogue does not list is left out; else all items are offered."""
        return _fits(self.sold, self.unlisted, self.late, self.late_unlisted)


def offer(items: DataFrame, listed: DataFrame, purchases: DataFrame, since: date) -> Offer:
    """The items that the catalogue lists, or all where it does not fit what is being sold.

    :param items: item_id, item_idx of all that was ever sold
    :param listed: those of them that the catalogue lists
    :param purchases: item_idx, day of every purchase line
    :param since: the day from which on purchases are of late
    """
    late = F.col("day") >= F.lit(since)
    ours = listed.select("item_idx", F.lit(True).alias("ours"))
    by_item = purchases.groupBy("item_idx").agg(F.count_if(late).alias("late")).join(ours, on="item_idx", how="left")
    unlisted = F.col("ours").isNull()
    counts = by_item.agg(
        F.count(F.lit(1)).alias("sold"),
        F.count_if(unlisted).alias("unlisted"),
        F.coalesce(F.sum("late"), F.lit(0)).alias("late"),
        F.coalesce(F.sum(F.when(unlisted, F.col("late"))), F.lit(0)).alias("late_unlisted"),
    )
    told = counts.first().asDict()
    return Offer(listed if _fits(**told) else items, **told)


def _fits(sold: int, unlisted: int, late: int, late_unlisted: int) -> bool:
    return unlisted < sold and late_unlisted <= (1 - LEAST_LISTED) * late
