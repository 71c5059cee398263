"""Files of public splits: what is read, what is refused, and the days of their rows."""

from datetime import date, datetime

import pytest

from shoprec.errors import ConfigError
from shoprec.public_splits.splits import AS_OF, catalogue, dated, learnt_share, read, read_items


def csv(folder, text, name="train.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_users_last_row_lies_a_day_before_the_one_before_it_two(spark, tmp_path):
    rows = read(spark, csv(tmp_path, "user_id,item_id,position\n7,a,2\n7,b,10\n7,c,1\n8,a,5\n"), print)
    found = {(r.user_id, r.item_id): r.event_at for r in dated(rows, "leave_last_out", 0.1, 1).collect()}
    days = {("7", "b"): 31, ("7", "a"): 30, ("7", "c"): 29, ("8", "a"): 31}
    assert date(2020, 6, 1) == AS_OF
    assert found == {pair: datetime(2020, 5, day, 12) for pair, day in days.items()}


def test_times_may_be_written_out_and_a_file_without_is_in_order(spark, tmp_path):
    timed = csv(tmp_path, "user_id,item_id,time\n1,a,2020-02-01 10:00:00\n1,b,2020-01-01\n", "timed.csv")
    plain = csv(tmp_path, "user_id,item_id\n1,b\n1,a\n", "plain.csv")
    for path in (timed, plain):
        rows = dated(read(spark, path, print), "leave_last_out", 0.1, 1).orderBy("event_at").collect()
        assert [r.item_id for r in rows] == ["b", "a"]


def test_of_a_random_split_a_part_lies_on_the_last_day_and_the_rest_further_back(spark, tmp_path):
    lines = "".join(f"{n % 50},{n}\n" for n in range(5000))
    rows = dated(read(spark, csv(tmp_path, f"user_id,item_id\n{lines}"), print), "ratio", 0.1, 1)
    by_day = {r.event_at: r["count"] for r in rows.groupBy("event_at").count().collect()}
    assert set(by_day) == {datetime(2020, 5, 31, 12), datetime(2020, 5, 30, 12)}
    assert by_day[datetime(2020, 5, 31, 12)] == pytest.approx(500, abs=100)


def test_the_rest_keeps_its_order_where_it_has_one(spark, tmp_path):
    lines = "".join(f"1,{n},{n}\n" for n in range(40))
    rows = dated(read(spark, csv(tmp_path, f"user_id,item_id,time\n{lines}"), print), "ratio", 0.1, 1).collect()
    last = datetime(2020, 5, 31, 12)
    rest = sorted((r.event_at, int(r.item_id)) for r in rows if r.event_at < last)
    assert 30 <= len(rest) < 40
    assert [n for _, n in rest] == sorted(n for _, n in rest)
    assert len({at for at, _ in rest}) == len(rest)


def test_rows_without_user_or_item_are_left_out_and_told(spark, tmp_path):
    said = []
    rows = read(spark, csv(tmp_path, "user_id,item_id,weight\n1,a,2.5\n,b,1\n2,,1\n"), said.append)
    assert [(r.user_id, r.item_id, r.weight) for r in rows.collect()] == [("1", "a", 2.5)]
    assert "2 of 3 rows name no user or no item" in said[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item_id\n1,a\n", "has no column user_id; it has user, item_id"),
        ("user_id,item_id\n", "holds no row"),
        ("user_id,item_id,time\n1,a,soon\n1,b,3\n", "column time is not a number or a time in 1 of 2 rows"),
        ("user_id,item_id,time\n1,a,NaN\n1,b,3\n", "column time is not a number or a time in 1 of 2 rows"),
        ("user_id,item_id,weight\n1,a,0\n1,b,NaN\n1,c,1\n", "column weight is not a finite number above 0 in 2 of 3"),
    ],
)
def test_what_cannot_be_read_is_refused(spark, tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read(spark, csv(tmp_path, text), print)


def test_a_file_of_another_kind_or_none_is_refused(spark, tmp_path):
    with pytest.raises(ConfigError, match="name a .parquet"):
        read(spark, tmp_path / "train.txt", print)
    with pytest.raises(ConfigError, match="does not exist"):
        read(spark, tmp_path / "train.csv", print)


def test_the_catalogue_holds_what_was_sold_and_what_is_described(spark, tmp_path):
    train = read(spark, csv(tmp_path, "user_id,item_id\n1,a\n1,b\n2,a\n"), print)
    path = tmp_path / "items.jsonl"
    path.write_text('{"item_id": "b", "title": "A Ball", "attributes": ["Red", "x7"]}\n{"item_id": "c"}\n')
    items = {
        r.item_id: (r.name, r.text)
        for r in catalogue(train, read_items(spark, path)).select("item_id", "name", "text").collect()
    }
    assert items == {"a": (None, None), "b": ("A Ball", "a ball red x7"), "c": (None, None)}


def test_titles_may_hold_quotes_commas_and_lines(spark, tmp_path):
    told = 'item_id,title,attributes\na,"A ""big"" ball, red","x\ny"\n b ,plain,\n'
    rows = read_items(spark, csv(tmp_path, told, "items.csv")).collect()
    assert {row.item_id: row.name for row in rows} == {"a": 'A "big" ball, red', "b": "plain"}


def test_a_folder_needs_an_order(spark, tmp_path):
    spark.createDataFrame([("u", "a")], "user_id string, item_id string").write.parquet(f"{tmp_path}/train")
    with pytest.raises(ConfigError, match="whose files have no order"):
        read(spark, tmp_path / "train", print)


def test_an_item_is_described_once(spark, tmp_path):
    with pytest.raises(ConfigError, match="describes 1 items more than once"):
        read_items(spark, csv(tmp_path, "item_id,title\na,x\na,y\n", "items.csv"))


def test_the_share_that_is_learnt_from_is_that_of_the_test_part_within_bounds():
    assert learnt_share(90, 10) == 0.1
    assert learnt_share(50, 50) == 0.2
    assert learnt_share(1000, 1) == 0.05
