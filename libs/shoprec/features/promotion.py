"""How users respond to promotions, and how much items are promoted."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.features.declare import feature
from shoprec.features.exposure import PROMOTIONS, in_store, recorded_spans
from shoprec.features.lines import log_ratio
from shoprec.moments import days_between, midnight

#: Kind of promotion -> (lines bought so, lines of which it is known) of a pair.
_KINDS = {
    "offer": ("offers", "offers_known"),
    "coupon": ("coupons", "coupons_known"),
    "display": ("displays", "shelves"),
    "mailer": ("mailers", "shelves"),
}

RESPONSES = tuple(f"{kind}_{what}" for what in ("share", "response") for kind in _KINDS)

_COUNTS = tuple(dict.fromkeys(name for names in _KINDS.values() for name in names))


@feature(
    needs={"pairs": ("user_id", "category", "cents", "discount_cents", "coupon_cents", *_COUNTS)},
    gives=("user_id", "discount_depth", *RESPONSES),
)
def responses(pairs: DataFrame, prior: float) -> DataFrame:
    """How much of what each user bought was promoted, and whether more than chance has it.

    Chance: the share of all users' lines of the same category that were bought so. With o lines observed and e
    expected by chance, the response is log((o + prior) / (e + prior)): 0 for a user who takes what comes. Items without
    a category form one of their own.
    """
    pairs = pairs.withColumn("of_category", F.coalesce("category", F.lit("")))
    rates = pairs.groupBy("of_category").agg(*(_rate(kind) for kind in _KINDS))
    sums = [F.sum(name).alias(name) for name in ("cents", "discount_cents", "coupon_cents", *_COUNTS)]
    expected = [F.sum(F.col(_KINDS[kind][1]) * F.col(f"{kind}_rate")).alias(f"{kind}_chance") for kind in _KINDS]
    users = pairs.join(rates, on="of_category", how="left").groupBy("user_id").agg(*sums, *expected)
    return users.withColumns(
        {
            "discount_depth": _depth(F.col("discount_cents") + F.col("coupon_cents")),
            **{f"{kind}_share": _share(kind) for kind in _KINDS},
            **{
                f"{kind}_response": log_ratio(
                    F.col(_KINDS[kind][0]) + prior, F.coalesce(f"{kind}_chance", F.lit(0.0)) + prior
                )
                for kind in _KINDS
            },
        }
    )


@feature(
    needs={"pairs": ("item_id", "lines", "cents", "discount_cents", "coupon_cents", "offers", "coupons")},
    gives=("item_id", "discount_depth", "discount_frequency", "coupon_frequency"),
)
def item_discounts(pairs: DataFrame) -> DataFrame:
    """How deep and how often each sold item is reduced, and how often it is sold with a coupon."""
    names = ("lines", "cents", "discount_cents", "coupon_cents", "offers", "coupons")
    sold = pairs.groupBy("item_id").agg(*(F.sum(name).alias(name) for name in names))
    return sold.withColumns(
        {
            "discount_depth": _depth(F.col("discount_cents")),
            "discount_frequency": F.col("offers") / F.col("lines"),
            "coupon_frequency": F.col("coupons") / F.col("lines"),
        }
    )


@feature(
    needs={"promotions": PROMOTIONS},
    gives=("item_id", "display_share", "mailer_share", "promotion_share", "display_now", "mailer_now"),
)
def item_promotions(promotions: DataFrame, as_of: date) -> DataFrame:
    """How much of the recorded store-weeks each item was on display or in the mailer, and where it is now.

    Now: on the last day before ``as_of``, of the stores whose promotions are on record on that day.
    """
    last_day = midnight(as_of) - F.expr("INTERVAL 1 DAY")
    spans = recorded_spans(promotions, as_of)
    total = spans.agg(
        F.sum(days_between("recorded_from", "recorded_to")).alias("days_recorded"),
        F.count_if(F.col("recorded_to") > last_day).alias("stores_now"),
    )
    display, mailer = F.col("display").isNotNull(), F.col("mailer").isNotNull()
    days, now = days_between("valid_from", "valid_to"), F.col("valid_to") > last_day
    sums = {
        "display_share": _sum_if(display, days),
        "mailer_share": _sum_if(mailer, days),
        "promotion_share": _sum_if(display | mailer, days),
        "display_now": F.count_if(display & now),
        "mailer_now": F.count_if(mailer & now),
    }
    items = in_store(promotions, as_of).groupBy("item_id").agg(*(v.alias(k) for k, v in sums.items()))
    of = {name: "stores_now" if name.endswith("_now") else "days_recorded" for name in sums}
    shares = {name: F.least(F.col(name) / F.nullif(whole, F.lit(0)), F.lit(1.0)) for name, whole in of.items()}
    return items.join(F.broadcast(total), how="cross").withColumns(
        {name: F.coalesce(share, F.lit(0.0)) for name, share in shares.items()}
    )


def _rate(kind: str) -> Column:
    observed, known = _KINDS[kind]
    rate = F.sum(observed) / F.nullif(F.sum(known), F.lit(0))
    return F.coalesce(rate, F.lit(0.0)).alias(f"{kind}_rate")


def _share(kind: str) -> Column:
    observed, known = _KINDS[kind]
    return F.col(observed) / F.nullif(known, F.lit(0))


def _depth(saved: Column) -> Column:
    """Part of the price before reductions that was saved; 0 where nothing was."""
    whole = F.col("cents") + F.col("discount_cents") + F.col("coupon_cents")
    return F.when((saved > 0) & (whole > 0), F.least(saved / whole, F.lit(1.0))).otherwise(0.0)


def _sum_if(condition: Column, value: Column) -> Column:
    return F.sum(F.when(condition, value).otherwise(0.0))
