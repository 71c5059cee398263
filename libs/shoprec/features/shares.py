"""How an owner's shares of names differ from the population's: the common ground of taste and season."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

#: One name of an owner: the shrunk share's lift over the population and what it adds to the divergence.
CELL = "struct<rank:double,name:string,affinity:double,share:double>"


def divergence(weights: DataFrame, owner: str, prior: float) -> DataFrame:
    """Compare each owner's shares of names with those of all owners together.

    With w the owner's weight of a name, W of all names, p the population's share: the shrunk share is
    q = (w + prior p) / (W + prior), the affinity log(q / p). Weighted with W + prior, the owners' q / p have mean 1 for
    every name. Names that an owner never touched have q / p = prior / (W + prior), all the same.

    :param weights: owner, name, weight > 0; key (owner, name); names of an owner are few enough for an array
    :return: owner; cells (array of ``CELL``: rank = minus what the name adds to the divergence, to order by; share =
        w / W), breadth (exp of the entropy of w / W: effective number of names), distance (Kullback-Leibler divergence
        of q from p over all names, nats), rest (affinity of the names without weight)
    """
    names = weights.groupBy("name").agg(F.sum("weight").alias("of_name"))
    total = names.agg(F.sum("of_name").alias("of_all"))
    population = names.join(F.broadcast(total), how="cross").select(
        "name", (F.col("of_name") / F.col("of_all")).alias("p")
    )
    owners = (
        weights.join(population, on="name", how="inner")
        .groupBy(owner)
        .agg(
            F.collect_list(F.struct("name", "weight", "p")).alias("touched"),
            F.sum("weight").alias("own"),
            F.sum("p").alias("covered"),
            F.sum(F.col("weight") * F.log("weight")).alias("w_log_w"),
        )
    )
    own = F.col("own")
    rest = F.log(F.lit(prior) / (own + prior))
    uncovered = F.greatest(1 - F.col("covered"), F.lit(0.0)) * F.lit(prior) / (own + prior)
    of_touched = F.aggregate("cells", F.lit(0.0), lambda sum_, cell: sum_ - cell["rank"])
    return (
        owners.withColumn("cells", F.transform("touched", lambda t: _cell(t, own, prior)))
        .withColumn("distance", F.greatest(of_touched + uncovered * rest, F.lit(0.0)))
        .select(
            owner,
            "cells",
            F.exp(F.greatest(F.log(own) - F.col("w_log_w") / own, F.lit(0.0))).alias("breadth"),
            "distance",
            rest.alias("rest"),
        )
    )


def _cell(touched: Column, own: Column, prior: float) -> Column:
    shrunk = (touched["weight"] + prior * touched["p"]) / (own + prior)
    affinity = F.log(shrunk / touched["p"])
    return F.struct(
        (-shrunk * affinity).alias("rank"),
        touched["name"].alias("name"),
        affinity.alias("affinity"),
        (touched["weight"] / own).alias("share"),
    )


def strongest(cells: Column, most: int) -> Column:
    """The ``most`` names that add most to the divergence, ties by name: array of struct (name, affinity, share)."""
    # Rounded, so that sums that differ in their last bits do not change the order.
    ordered = F.array_sort(
        F.transform(
            cells, lambda c: F.struct(F.round(c["rank"], 9).alias("rank"), c["name"], c["affinity"], c["share"])
        )
    )
    return F.transform(
        F.slice(ordered, 1, most),
        lambda c: F.struct(c["name"].alias("name"), c["affinity"].alias("affinity"), c["share"].alias("share")),
    )
