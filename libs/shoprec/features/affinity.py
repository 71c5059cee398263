"""What a user likes more than others do: departments, categories and brands."""

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.features.config import ProfileSettings
from shoprec.features.declare import feature
from shoprec.features.shares import Shares, with_population
from shoprec.whole import of_whole

#: Column of a pair -> column of its tastes.
LEVELS = {"department": "departments", "category": "categories", "brand": "brands"}

#: Weights below this share of a line have been bought so long ago that they say nothing; logs of 0 are not finite.
_LEAST_WEIGHT = 1e-12

_LIST = "array<struct<name:string,affinity:double,share:double>>"

_FIGURES = (*(f"{level}_breadth" for level in LEVELS), "taste_distance")

_TASTES = ", ".join([
    "user_id string", *(f"{name} {_LIST}" for name in LEVELS.values()), *(f"{name} double" for name in _FIGURES)
])  # fmt: skip


@feature(
    needs={"pairs": ("user_id", "weight", *LEVELS)},
    gives=("user_id", *LEVELS.values(), *_FIGURES),
)
def tastes(pairs: DataFrame, settings: ProfileSettings) -> DataFrame:
    """Affinities of the users with a purchase, against the population (see ``shares.Shares``).

    Users of whose items a level is unknown have an empty array and breadth 0 there, and taste_distance 0.
    """
    named = F.array(*(F.struct(F.lit(i).alias("level"), F.col(level).alias("name")) for i, level in enumerate(LEVELS)))
    weights = (
        pairs.select("user_id", "weight", F.inline(named))
        .groupBy("user_id", "level", "name")
        .agg(F.greatest(F.sum("weight"), F.lit(_LEAST_WEIGHT)).alias("weight"))
    )

    def make(rows: pa.Table) -> pa.Table:
        return _tastes(rows, settings)

    told = of_whole(with_population(weights, "level"), "user_id", "name", make, _TASTES)
    users = pairs.select("user_id").distinct().join(told, on="user_id", how="left")
    nothing = {name: F.array().cast(_LIST) for name in LEVELS.values()} | dict.fromkeys(_FIGURES, F.lit(0.0))
    return users.withColumns({name: F.coalesce(name, none) for name, none in nothing.items()})


def _tastes(rows: pa.Table, settings: ProfileSettings) -> pa.Table:
    """Rows of whole users [user_id, level (place in ``LEVELS``), name, weight, p] in, one row a user out."""
    users = rows.column("user_id").combine_chunks().dictionary_encode()
    count, user_N = len(users.dictionary), users.indices.to_numpy().astype(np.int64)
    lists, breadths, distance = {}, {}, np.zeros(count)
    for place, (level, name) in enumerate(LEVELS.items()):
        mine = np.flatnonzero(rows.column("level").to_numpy() == place)
        shares = Shares.of(user_N[mine], count, rows.take(pa.array(mine)), settings.taste_prior)
        any_O = np.bincount(user_N[mine], minlength=count) > 0
        lists[name], breadths[f"{level}_breadth"] = shares.strongest(settings.tastes), shares.breadth_O * any_O
        if level == "category":
            distance = shares.distance_O * any_O
    return pa.table({"user_id": users.dictionary, **lists, **breadths, "taste_distance": distance})
