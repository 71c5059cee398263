"""The job report: what it finds in the tables stands in the page."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from shoprec.errors import ContractBroken
from tests.jobs import judged
from tests.jobs.judged import Lists


@pytest.fixture(scope="module")
def lists(spark: SparkSession) -> Lists:
    return judged.lists(spark)


def test_a_run_that_was_not_judged_is_refused(lists: Lists) -> None:
    with pytest.raises(ContractBroken, match=r"run other has no figures for 2024-03-15: .* --as-of 2024-03-15"):
        lists.run("report", run_id="other")


def test_the_page_of_a_judged_run(lists: Lists) -> None:
    training = {"epochs": [1, 2], "loss": [3.0, 2.0], "val": [0.1, 0.2], "best_epoch": 2, "samples": 10, "ranks": 2}
    lists.add_job_runs(metrics=lists.judged.detail, two_tower={"training": training, "settings": {"epochs": 77}})
    lists.add_intake()
    context = lists.run("report", items=1)

    page = Path(context.detail["out"])
    assert page == lists.place / "files" / "reports" / "run-7" / "report.html"
    html = page.read_text()
    assert "http" not in html
    for wanted in ("A corner shop", "run-7", "1 further buyers", "no user", "10 read", "two_tower", "lapsed",
                   "4 baskets in 30 days", "Item D", "Because of d", "50.0%"):  # fmt: skip
        assert wanted in html, wanted
    assert "&#34;epochs&#34;: 77" in html  # what the run was told, not what the report would be
    assert "Item A" not in html  # second in every list of fused: one item was asked for
    # One user of each stage: u1 or u2 (active), u3 (lapsed), u4 (new)
    assert sum(f"User {user}<" in html for user in ("u1", "u2")) == 1
    assert "User u3<" in html
    assert "User u4<" in html
    assert '<span class="bought" title="bought">' in html  # u1 and u2 bought d
