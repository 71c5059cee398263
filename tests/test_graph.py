"""The graph: order, edges between dates, and what is refused."""

import pytest
from pydantic import ValidationError

from shoprec import resources
from shoprec.config import load_graph
from shoprec.contracts.gold import EMBEDDED
from shoprec.graph import Graph, Node, nodes, only
from shoprec.job import load_job

ALONE = {"jobs": {"a": {}}, "judging": {}}


def graph(jobs: dict) -> Graph:
    return Graph(jobs=jobs, judging={})


def test_every_node_comes_after_the_nodes_that_it_follows() -> None:
    before = nodes(load_graph().jobs)
    places = {node: place for place, node in enumerate(before)}
    assert all(places[first] < places[node] for node, firsts in before.items() for first in firsts)


def test_edges_by_date() -> None:
    part = graph(
        {
            "load": {},
            "fit": {"after": ["load"], "at": [-1, 0]},
            "rank": {"after": ["fit", "fit@-1"]},
            "sum": {"after": ["fit"], "at": [-2]},
        }
    ).jobs
    before = nodes(part)
    assert before[Node("fit", -1)] == (Node("load"),)
    assert before[Node("rank")] == (Node("fit", -1), Node("fit"))
    assert before[Node("sum", -2)] == (Node("fit", -1), Node("fit")), "no such date: every date of the job"


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ({"a": {"after": ["b"]}}, "a follows 'b', which is not in the graph"),
        ({"a": {}, "b": {"after": ["a@-1"]}}, "does not run for that date"),
        ({"a": {"after": ["b"]}, "b": {"after": ["a"]}}, "follow each other in a circle"),
        ({"a": {"afterwards": []}}, "Extra inputs are not permitted"),
    ],
)
def test_graphs_that_cannot_be_run_are_refused(jobs: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        graph(jobs)


def test_who_follows_a_job_that_is_left_out_follows_what_that_one_did() -> None:
    part = Graph(jobs={"a": {"at": [-1, 0]}, "b": {"after": ["a"]}, "c": {"after": ["a@-1", "b"]}}, judging={}).jobs
    told = only(part, {"a", "c"})
    assert {name: entry.after for name, entry in told.items()} == {"a": (), "c": ("a@-1", "a")}
    assert told["a"].at == (-1, 0)


def test_a_node_reads_as_it_is_written() -> None:
    assert [str(Node.parse(text)) for text in ("als", "als@-1")] == ["als", "als@-1"]


def test_every_job_of_the_graph_stands_in_jobs_under_its_own_name() -> None:
    told = load_graph()
    for name in (*told.jobs, *told.judging):
        assert load_job(name).name == name
    outside = set(resources.job_names()) - set(told.jobs) - set(told.judging)
    assert outside == {"pipeline", "demo", "benchmark", "tune"}


@pytest.mark.parametrize("left_out", [None, *EMBEDDED])
def test_what_a_job_reads_is_written_by_jobs_before_it(left_out: str | None) -> None:
    graph = load_graph().jobs
    part = only(graph, set(graph) - {left_out})
    before = nodes(part)
    writers: dict[str, set[str]] = {}
    for name in part:
        for table in load_job(name).writes:
            writers.setdefault(table.name, set()).add(name)

    def all_before(node: Node) -> set[str]:
        return {first.job for first in before[node]}.union(*(all_before(first) for first in before[node]))

    for node in before:
        earlier = all_before(node)
        for table in load_job(node.job).reads:
            makers = writers.get(table.name, set()) - {node.job}
            assert not makers or makers & earlier, (
                f"{node} reads {table.name}, made by {makers}, which need not be done"
            )


def test_a_replaced_slice_has_one_writer() -> None:
    """Two jobs may share a table only where the slice tells them apart."""
    writers: dict[str, set[str]] = {}
    for name in load_graph().jobs:
        for table in load_job(name).writes:
            writers.setdefault(table.name, set()).add(name)
    shared = {table for table, names in writers.items() if len(names) > 1}
    assert shared <= {"user_embeddings", "item_embeddings", "quarantine", "reconciliation"}
