"""Arrow kernels over whole groups of rows: no group's rows are ever in two calls."""

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

#: Rows from which on complete groups are passed on: enough that a column's fixed costs are shared by many groups.
_ENOUGH = 20_000


def of_whole(rows: DataFrame, by: str, order: str, make: Callable[[pa.Table], pa.Table], schema: str) -> DataFrame:
    """``make`` of the rows of whole groups, some at a time, those of a group one after another, ordered by ``order``.

    The window brings a group's rows together; where they are together already it moves nothing. ``make`` is never
    called without a row, and finds a further column, ``place``: the row's number in its group.
    """
    place = F.row_number().over(Window.partitionBy(by).orderBy(order))

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table in whole(batches, by, _ENOUGH):
            yield from make(table).to_batches()

    return rows.withColumn("place", place).mapInArrow(run, schema)


def whole(batches: Iterable[pa.RecordBatch], by: str, enough: int) -> Iterator[pa.Table]:
    """Tables of at least ``enough`` rows (the last: of what is left) in which no group's rows are cut in two.

    :param batches: the column ``by`` and more; the rows of a group, those with equal values of it, one after another
    """
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        groups = batch.column(by)
        # The last group of a batch may go on in the next.
        start = pc.index(groups, groups[-1]).as_py()
        if start and start + sum(part.num_rows for part in waiting) >= enough:
            yield pa.Table.from_batches([*waiting, batch.slice(0, start)])
            waiting = [batch.slice(start)]
        else:
            waiting.append(batch)
    if waiting:
        yield pa.Table.from_batches(waiting)
