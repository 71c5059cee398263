"""The report: what stands in it, that nothing in it points outside, and that it bears what is missing."""

import json
import re
import zipfile
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import Path
from subprocess import run
from sys import executable
from typing import Any

import pytest

from shoprec.evaluation import report
from shoprec.evaluation.config import ACTIVITY
from shoprec.evaluation.examples import in_words
from shoprec.evaluation.report import Examined, ReportData, against_best, render
from shoprec.evaluation.summary import by_subject

E, D = date(2024, 3, 1), date(2024, 3, 15)


def figures(
    subject: str, value: float, name: str = "all", segment: str = "all", p_value: float | None = None
) -> list[dict]:
    base = {"subject": subject, "list": name, "segment": segment, "users": 1234}
    base |= {"p_value": p_value, "lists_as_of": E}
    metrics = ("ndcg@10", "recall@20", "hit_rate@10", "precision@10", "auc")
    return [base | {"metric": m, "value": value, "low": value - 0.01, "high": value + 0.01} for m in metrics]


def job_run(job: str, day: date, minute: int, **detail: Any) -> dict[str, Any]:
    return {"job": job, "as_of": day, "started_at": datetime(2024, 3, 16, 10, minute), "seconds": 12.0 + minute,
            "cpu_seconds": 20.0, "peak_rss_gib": 1.5, "detail": json.dumps(detail)}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> ReportData:
    metrics = [*figures("fused", 0.4, p_value=None), *figures("als", 0.3), *figures("popular", 0.1)]
    metrics += [*figures("fused - als", 0.1, p_value=0.002), *figures("fused - popular", 0.3, p_value=0.001)]
    metrics += [*figures("fused", 0.06, "discovery"), *figures("popular", 0.04, "discovery")]
    for segment in ACTIVITY:
        metrics += figures("fused", 0.42, segment=segment)
    curves = {"epochs": [1, 2], "loss": [5.0, 4.0], "val": [0.1, None], "best_epoch": 1, "samples": 65432, "ranks": 2}
    unlisted = {"items": 31, "lines": 4567, "proposed": False}
    noted = {str(D): {"users": 1234, "newcomers": 17, "activity_bounds": [5, 9]}}
    listed = {"rank": 1, "name": "Bananas & <b>cream</b>", "category": "fruit", "score": 0.25, "bought": True,
              "reasons": ["Bought 14 times, last 3 days ago"], "sources": ["als"]}  # fmt: skip
    return ReportData(
        shop="corner", about="A corner shop", run_id="run-7", lists_as_of=E, as_of=D, horizon=14, seed=42,
        metrics=metrics,
        job_runs=[job_run("als", E, 1), job_run("candidates", E, 1, not_in_catalogue=unlisted),
                  job_run("two_tower", E, 2, training=curves), job_run("metrics", D, 3, judged=noted)],
        reconciliation=[{"table": "interactions", "dataset": "tills", "read": 1000, "passed_over": 0, "refused": 30,
                         "duplicate": 20, "kept": 950}],
        refused=[{"table": "interactions", "dataset": "tills", "reason": "quantity is 0", "rows": 30}],
        examples=[Examined("u81", "lapsing", ["43% of a basket was bought before"], {"all": [listed]})],
        settings={"als": {"rank": 64}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def html(data: ReportData) -> str:
    return render(data)


class _Page(HTMLParser):
    """Text, tags that are open at the end, ids and links of a page."""

    VOID = frozenset({"meta", "br", "path", "use"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.text, self.ids, self.links = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[name] for name in ("href", "src") if name in values]

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        self.text.append(text)


def test_the_page_is_whole_and_points_nowhere_outside(html: str) -> None:
    page = _Page(html)
    assert page.open == []
    assert "http" not in html
    assert len(page.ids) == len(set(page.ids))
    assert page.links
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert not re.search(r"<(script|link|iframe|img)\b|@import|url\((?!#)", html)
    referred = set(re.findall(r"url\(#([^)]+)\)", html))
    assert referred <= set(page.ids)


def test_what_a_reader_looks_for_is_there(html: str) -> None:
    text = re.sub(r"\s+", " ", " ".join(_Page(html).text))
    for wanted in (
        "A corner shop", "run-7", "2024-03-01", "2024-03-15", "42", "0.4000", "+33.3%", "1.50×", "1,234",
        "17 further buyers", "Every purchase", "Items new to the user", "0.3900 – 0.4100", "low is up to 5 lines",
        "No figure is published for this data under this protocol", "users with at least one relevant item",
        "of the first ten items, 4.00 were bought within 14 days", "User u81", "43% of a basket was bought before",
        "Bought 14 times, last 3 days ago", "25.0%", "quantity is 0", "1,000 read", "1,000 950 20 30 0",
        "31 items that were sold (4,567 purchase lines of the last 14 days) were not in the catalogue",
        "they teach, and were not proposed", "13.0 s", "65,432", '"rank": 64',
    ):  # fmt: skip
        assert wanted in text, wanted


def test_plots_have_words_for_those_who_do_not_see_them(html: str) -> None:
    spoken = re.findall(r'<figure role="img" aria-label="([^"]+)"', html)
    assert len(spoken) == 5  # two lists, data, time, training
    assert "fused has ndcg@10 0.4000" in spoken[0]
    assert "1,000 read, 30 refused" in spoken[2]
    assert "#0101" not in html  # every stand-in became a colour of the page
    used = set(re.findall(r"var\(--([a-z]+)\)", html))
    assert used <= set(re.findall(r"--([a-z]+):", html))


def test_content_is_shown_and_never_taken_for_markup(html: str) -> None:
    assert "Bananas &amp; &lt;b&gt;cream&lt;/b&gt;" in html


@pytest.mark.parametrize(("by", "verdict"), [(0.1, "better"), (-0.2, "worse"), (0.005, "not told apart")])
def test_verdicts_follow_the_interval(by: float, verdict: str) -> None:
    metrics = [*figures("fused", 0.3 + by), *figures("als", 0.3), *figures("fused - als", by, p_value=0.5)]
    found = against_best(metrics, "all", by_subject(metrics, "all"))
    assert {(test["source"], test["verdict"]) for test in found} == {("als", verdict)}
    assert [test["metric"] for test in found] == ["ndcg@10", "recall@20", "precision@10", "hit_rate@10", "auc"]


@pytest.mark.parametrize(("by", "said", "unsaid"), [(0.1, "+33.3%", ">level<"), (0.005, ">level<", "+1.7%")])
def test_a_change_is_shown_large_only_where_it_is_clear(by: float, said: str, unsaid: str) -> None:
    metrics = [*figures("fused", 0.3 + by), *figures("als", 0.3), *figures("fused - als", by, p_value=0.5)]
    html = render(ReportData("corner", "", "run-7", E, D, 14, 42, metrics, []))
    assert said in html
    assert unsaid not in html


def test_a_run_without_fused_lists_jobs_or_reconciliation_has_a_page(data: ReportData) -> None:
    html = render(ReportData("corner", "", "run-7", E, D, 14, 42, figures("als", 0.3), []))
    assert _Page(html).open == []
    for said in (
        "No fused list was made",
        "No reconciliation",
        "Nothing was refused",
        "No job of this run",
        "told of a training",
    ):
        assert said in html


def test_the_same_data_gives_the_same_page(data: ReportData, html: str) -> None:
    assert render(data) == html


def test_the_template_loads_from_a_zipped_wheel(tmp_path: Path) -> None:
    libs = Path(report.__file__).parents[2]
    with zipfile.ZipFile(tmp_path / "shoprec.zip", "w") as archive:
        for file in [*libs.rglob("*.py"), *libs.rglob("*.j2")]:
            archive.write(file, file.relative_to(libs))
    script = (
        "import sys, datetime; sys.path.insert(0, sys.argv[1]);"
        "from shoprec.evaluation import report;"
        "assert '.zip' in report.__file__;"
        "d = datetime.date(2024, 3, 1);"
        "row = dict(subject='als', list='all', segment='all', metric='ndcg@10', value=.3, low=.2, high=.4);"
        "row |= dict(p_value=None, users=5);"
        "print(report.render(report.ReportData('corner', '', 'run-7', d, d, 14, 42, [row], []))[-8:])"
    )
    done = run(
        [executable, "-c", script, str(tmp_path / "shoprec.zip")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.stdout.strip() == "</html>", done.stderr


def test_a_profile_in_words() -> None:
    profile = {
        "stage": "active", "recency_days": 1.2, "tenure_days": 331.0, "baskets": 88, "items": 612, "spend": 3002.5,
        "basket_spend": 34.119, "basket_lines": 11.2, "gap_days": 4.1, "repeat_rate": 0.43,
        "weekday_shares": [0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.1],
        "departments": [{"name": "PRODUCE", "affinity": 0.6931}, {"name": "FUEL", "affinity": -1.0}], "categories": [],
        "offer_share": 0.48, "coupon_share": None, "price_level": -0.0619, "age_band": "45-54", "income_band": None,
        "household_size": "2",
    }  # fmt: skip
    assert in_words(profile, "USD") == [
        "88 baskets in 331 days, the last 1 day before",
        "34.12 USD and 11.2 lines a basket; 3,002.50 USD in all on 612 different items",
        "comes every 4 days, mostly on Saturdays",
        "43% of a basket was bought before",
        "departments above the average: Produce (×2.0)",
        "buys 48% of lines at a discount",
        "pays 6% below the usual price in its categories",
        "age 45-54, persons 2",
    ]
    bare = profile | {
        "gap_days": None,
        "departments": [],
        "offer_share": None,
        "price_level": 0.0,
        "age_band": None,
        "household_size": None,
    }
    assert len(in_words(bare, "USD")) == 3
