"""Bootstrap intervals and paired tests over users, in one pass that collects nothing.

Users are resampled by the Poisson bootstrap (Hanley & MacGibbon 2006; Chamandy et al., "Estimating uncertainty for
massive data streams", 2012): in each replicate every user counts Poisson(1) times. The count is a pure function of
seed, user and replicate, so the same user counts alike for every subject, wherever the row is: differences between
subjects are paired, and a repeat gives the same intervals.

Shapes: N rows of a batch, B replicates, M measures. Sums are kept as 1 + B numbers: the sample itself comes first.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.evaluation.config import EVERYONE, FUSED, USER_METRICS

_SUMS = "list string, segment string, subject string, metric string, total array<double>, weight array<double>"
_ROWS = (
    "subject string, list string, segment string, metric string, "
    "value double, low double, high double, p_value double, users long"
)
_BLOCK = 2048  # rows weighed at once: B weights of 8 bytes each, 16 MiB for a thousand replicates
_COVERED = (2.5, 97.5)
_NOISE = 1e-9  # differences of sums that were added up in another order; no measure is that fine

_ROWS_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("subject", "list", "segment", "metric")]
    + [(name, pa.float64()) for name in ("value", "low", "high", "p_value")]
    + [("users", pa.int64())]
)

# Poisson(1) by table: of 65536 equally likely draws, number i counts _COUNTS[i]. The mean is off by less than 1e-4.
_CUMULATIVE = np.cumsum([math.exp(-1) / math.factorial(count) for count in range(12)])
_COUNTS = np.searchsorted(_CUMULATIVE, (np.arange(65536) + 0.5) / 65536).astype(np.uint8)


def figures(values: DataFrame, seed: int, replicates: int) -> DataFrame:
    """The rows of METRICS for measures of users: means, 95% intervals, and paired differences of fused to each source.

    ``values``: subject, list, user_id, segment and one column per USER_METRICS, null where a measure has no meaning.
    Users with null are left out of that measure's mean. Gives subject, list, segment (each of the values and 'all'),
    metric, value, low, high, p_value (differences only) and users. What a partition hands on is bounded by
    subjects × segments × measures × replicates, whatever the number of users.
    """
    columns = F.array(*(F.coalesce(F.col(name).cast("double"), F.lit(float("nan"))) for name in USER_METRICS))
    rows = values.select(
        "list", "segment", "subject", F.xxhash64(F.lit(seed), "user_id").alias("draw"), columns.alias("measures")
    )
    sums = rows.mapInArrow(partial(_sum_partition, replicates=replicates), _SUMS)
    return sums.repartition("list", "metric").mapInArrow(_finish_partition, _ROWS)


def poisson_weights(draws_N: np.ndarray, replicates: int) -> np.ndarray:
    """Poisson(1) counts of each user in each replicate: (N,) uint64 hashes to (N, B) uint8.

    Each 64-bit word of the splitmix64 sequence (Steele et al. 2014) that starts at the user's hash gives four counts.
    """
    words = -(-replicates // 4)
    steps = np.arange(1, words + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = draws_N[:, None] + steps[None, :]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return _COUNTS[mixed.view(np.uint16)[:, :replicates]]


def _sum_partition(batches: Iterable[pa.RecordBatch], replicates: int) -> Iterator[pa.RecordBatch]:
    """Sums each measure and its weights over the partition's users, in the sample and in every replicate.

    Gives one batch for each (list, segment, subject) seen, with one row a measure.
    """
    sums: dict[tuple[str, ...], np.ndarray] = defaultdict(lambda: np.zeros((2, len(USER_METRICS), 1 + replicates)))
    for batch in batches:
        keys, codes_N = _group(batch)
        draws_N = batch.column("draw").to_numpy().view(np.uint64)
        values_NM = batch.column("measures").flatten().to_numpy(zero_copy_only=False).reshape(-1, len(USER_METRICS))
        for start in range(0, len(codes_N), _BLOCK):
            block = slice(start, start + _BLOCK)
            counts_NB = np.ones((len(codes_N[block]), 1 + replicates))
            counts_NB[:, 1:] = poisson_weights(draws_N[block], replicates)
            for code in np.unique(codes_N[block]):
                mine = codes_N[block] == code
                values, counts = values_NM[block][mine].T, counts_NB[mine]
                known = ~np.isnan(values)
                sums[keys[code]] += np.stack([np.where(known, values, 0.0) @ counts, known.astype(float) @ counts])
    for key, (total, weight) in sums.items():
        names = [pa.array([part] * len(USER_METRICS)) for part in key]
        yield pa.RecordBatch.from_arrays(
            [*names, pa.array(USER_METRICS), _vectors(total), _vectors(weight)],
            names=["list", "segment", "subject", "metric", "total", "weight"],
        )


def _group(batch: pa.RecordBatch) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """The distinct (list, segment, subject) of a batch, and each row's place among them."""
    parts = [batch.column(name).dictionary_encode() for name in ("list", "segment", "subject")]
    sizes = tuple(len(part.dictionary) for part in parts)
    codes = np.ravel_multi_index([part.indices.to_numpy() for part in parts], sizes)
    found, codes_N = np.unique(codes, return_inverse=True)
    places = zip(*np.unravel_index(found, sizes), strict=True)
    return [
        tuple(part.dictionary[i].as_py() for part, i in zip(parts, place, strict=True)) for place in places
    ], codes_N


def _vectors(rows: np.ndarray) -> pa.ListArray:
    return pa.ListArray.from_arrays(np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1], rows.ravel())


def _finish_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Adds the partitions' sums up and turns them into rows; a partition has all subjects of a list and measure."""
    sums: dict[tuple[str, ...], np.ndarray] = {}
    for batch in batches:
        names = [batch.column(name).to_pylist() for name in ("list", "metric", "segment", "subject")]
        vectors = [batch.column(name).flatten().to_numpy().reshape(batch.num_rows, -1) for name in ("total", "weight")]
        for row, (name, metric, segment, subject) in enumerate(zip(*names, strict=True)):
            pair = np.stack([vectors[0][row], vectors[1][row]])
            for group in (segment, EVERYONE):
                key = (name, metric, group, subject)
                sums[key] = sums[key] + pair if key in sums else pair
    groups: dict[tuple[str, ...], dict[str, np.ndarray]] = defaultdict(dict)
    for (name, metric, segment, subject), pair in sorted(sums.items()):
        if pair[1, 0] > 0:
            groups[name, metric, segment][subject] = pair
    for (name, metric, segment), pairs in groups.items():
        lines = _lines({"list": name, "metric": metric, "segment": segment}, pairs)
        yield pa.RecordBatch.from_pylist(list(lines), schema=_ROWS_SCHEMA)


def _lines(where: dict[str, str], pairs: dict[str, np.ndarray]) -> Iterator[dict]:
    """The rows of one list, measure and segment: one a subject, and one a source for the paired difference."""
    means = {subject: _means(pair) for subject, pair in pairs.items()}
    users = {subject: int(pair[1, 0]) for subject, pair in pairs.items()}
    for subject, mean in means.items():
        yield where | {"subject": subject, "users": users[subject], "p_value": None} | _interval(mean)
    for subject in sorted(set(means) - {FUSED}) if FUSED in means else ():
        difference = means[FUSED] - means[subject]
        line = where | {"subject": f"{FUSED} - {subject}", "users": min(users[FUSED], users[subject])}
        yield line | {"p_value": p_value(difference)} | _interval(difference)


def _means(pair: np.ndarray) -> np.ndarray:
    """Mean in the sample and in each replicate: (2, 1 + B) to (1 + B,). NaN where a replicate drew no user."""
    total, weight = pair
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def _interval(means: np.ndarray) -> dict[str, float]:
    """Value, and the percentile interval of its replicates."""
    low, high = np.nanpercentile(means[1:], _COVERED)
    return {"value": float(means[0]), "low": float(low), "high": float(high)}


def p_value(differences: np.ndarray) -> float:
    """Two-sided p of 'no difference': how often a replicate strays from the sample by at least the sample's own size.

    ``differences``: (1 + B,), the sample's first. Replicates shifted to a mean of zero stand for the null (Efron &
    Tibshirani 1993, chapter 16; Smucker et al. 2007 for retrieval). The sample counts as one replicate, so p > 0.
    """
    sample, replicates = differences[0], differences[1:][~np.isnan(differences[1:])]
    as_far = np.abs(replicates - sample) >= abs(sample) - _NOISE
    return float((1 + as_far.sum()) / (1 + len(replicates)))
