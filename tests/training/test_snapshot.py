"""The snapshot that Spark writes, as Arrow reads it."""

from itertools import pairwise

import pytest
from pyspark.sql import functions as F

from shoprec.errors import ShoprecError
from shoprec.training import snapshot
from shoprec.training.manifest import MANIFEST
from shoprec.training.reader import Snapshot
from shoprec.training.snapshot import Plan, Shuffled, write_snapshot
from shoprec.training.storage import Folder


def pairs(spark, partitions):
    rows = spark.range(0, 600, numPartitions=partitions)
    return rows.select((F.col("id") % 40).alias("user"), F.col("id").alias("item"), (F.col("id") * 0.5).alias("weight"))


def written(spark, folder, partitions, seed=1):
    plan = Plan({"pairs": Shuffled(pairs(spark, partitions), ("user", "item"), 3, seed)}, {"fact": [1]})
    manifest = write_snapshot(plan, Folder(str(folder)))
    read = [row for batch in Snapshot(Folder(str(folder))).batches("pairs") for row in batch.to_pylist()]
    return manifest, [(row["user"], row["item"]) for row in read]


def test_rows_are_shuffled_the_same_way_whatever_their_order_was(spark, tmp_path):
    one, rows = written(spark, tmp_path / "one", 1)
    other, same = written(spark, tmp_path / "other", 4)
    assert sorted(item for _, item in rows) == list(range(600))
    assert rows == same
    assert one.digest == other.digest
    assert one.tables["pairs"].rows == sum(file.rows for file in one.tables["pairs"].files) == 600
    assert Snapshot(Folder(str(tmp_path / "one"))).manifest == one


def test_a_users_rows_stand_together_in_no_order_of_theirs(spark, tmp_path):
    _, rows = written(spark, tmp_path, 2)
    users = [user for user, _ in rows]
    changes = sum(one != other for one, other in pairwise(users))
    assert changes == 39
    firsts = list(dict.fromkeys(users))
    assert firsts != sorted(firsts)
    items = [item for user, item in rows if user == 7]
    assert items != sorted(items)


def test_another_seed_gives_another_order_and_other_rows_another_digest(spark, tmp_path):
    one, rows = written(spark, tmp_path / "one", 2)
    _, others = written(spark, tmp_path / "other", 2, seed=2)
    assert rows != others
    changed = Plan({"pairs": pairs(spark, 2).withColumn("weight", F.col("weight") + (F.col("item") == 3).cast("int"))})
    assert write_snapshot(changed, Folder(str(tmp_path / "changed"))).digest != one.digest


def test_until_all_is_written_there_is_no_snapshot(spark, tmp_path, monkeypatch):
    folder = Folder(str(tmp_path))
    written(spark, tmp_path, 1)
    monkeypatch.setattr(snapshot, "_rows", lambda *_: 1)
    with pytest.raises(ShoprecError, match=r"holds \d rows, 600 were written"):
        written(spark, tmp_path, 1)
    assert not folder.exists(MANIFEST)
    with pytest.raises(ShoprecError, match="no finished training snapshot"):
        Snapshot(folder)


def test_an_empty_table_is_a_table(spark, tmp_path):
    write_snapshot(Plan({"none": pairs(spark, 1).limit(0)}), Folder(str(tmp_path)))
    assert list(Snapshot(Folder(str(tmp_path))).batches("none")) == []
