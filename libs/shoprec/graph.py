"""The graph of jobs: who follows whom, for which dates. Local runs, tests and deploy/ all read it from here."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from pydantic import Field, model_validator

from shoprec.settings import Settings


@dataclass(frozen=True, order=True)
class Node:
    """A job for one of its dates: ``at`` horizons from the run's as-of date."""

    job: str
    at: int = 0

    @classmethod
    def parse(cls, text: str) -> "Node":
        """'als' or, one horizon earlier, 'als@-1'."""
        job, _, at = text.partition("@")
        return cls(job, int(at or 0))

    def __str__(self) -> str:
        return self.job if self.at == 0 else f"{self.job}@{self.at}"


class JobEntry(Settings):
    """One job of the graph."""

    after: tuple[str, ...] = Field((), description="jobs that come first; 'job@-1': one horizon earlier")
    at: tuple[int, ...] = Field((0,), description="as-of dates it runs for, in horizons from the run's own")
    compute: Literal["cpu", "gpu"] = Field("cpu", description="kind of cluster that it runs on")
    retries: int = Field(1, ge=0, le=5, description="how often a scheduler tries it again")
    settings: dict[str, Any] = Field({}, description="settings of the job that differ from its class's defaults")


class Graph(Settings):
    """conf/pipeline.yml: every job, what it follows, and for which dates it runs."""

    horizon: int = Field(14, ge=1, le=365, description="days after an as-of date by which its lists are judged")
    seed: int = Field(20170101, ge=0, description="seed of everything random")
    jobs: dict[str, JobEntry] = Field(description="the jobs that make and publish a run")
    judging: dict[str, JobEntry] = Field(description="the jobs that judge a published run one horizon later")

    @model_validator(mode="after")
    def _edges_lead_somewhere(self) -> "Graph":
        for part in (self.jobs, self.judging):
            known = {str(Node(name, at)) for name, entry in part.items() for at in entry.at}
            for name, entry in part.items():
                for edge in entry.after:
                    if edge.partition("@")[0] not in part:
                        raise ValueError(f"{name} follows {edge!r}, which is not in the graph")
                    if "@" in edge and edge not in known:
                        raise ValueError(f"{name} follows {edge!r}, but that job does not run for that date")
            try:
                nodes(part)
            except CycleError as error:
                raise ValueError(f"the jobs {error.args[1]} follow each other in a circle") from error
        return self

    def entry(self, job: str) -> JobEntry:
        """The entry of ``job``; a job outside the graph has an empty one."""
        return self.jobs.get(job) or self.judging.get(job) or JobEntry()


def nodes(part: Mapping[str, JobEntry]) -> dict[Node, tuple[Node, ...]]:
    """Every node of ``part`` with the nodes that it follows, in an order that may be run as it stands.

    A job named alone is followed for the follower's own date; where it does not run for that date, for all of its.
    """
    before = {
        Node(job, at): tuple(sorted({one for edge in entry.after for one in _targets(part, edge, at)}))
        for job, entry in part.items()
        for at in entry.at
    }
    return {one: before[one] for one in TopologicalSorter(before).static_order()}


def ancestors(part: Mapping[str, JobEntry], node: Node) -> set[Node]:
    """Every node of ``part`` that must have ended before ``node`` begins."""
    before, found = nodes(part), set[Node]()
    todo = list(before[node])
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += before[one]
    return found


def only(part: Mapping[str, JobEntry], names: Collection[str]) -> dict[str, JobEntry]:
    """The entries of some jobs; for one that is left out, a job follows what that one would have followed."""
    return {
        name: entry.model_copy(update={"after": tuple(_bridged(part, entry.after, names))})
        for name, entry in part.items()
        if name in names
    }


def _bridged(part: Mapping[str, JobEntry], edges: Iterable[str], names: Collection[str]) -> dict[str, None]:
    found: dict[str, None] = {}
    for edge in edges:
        job, at, day = edge.partition("@")
        if job in names:
            found[edge] = None
        else:
            found |= _bridged(part, (one if "@" in one else f"{one}{at}{day}" for one in part[job].after), names)
    return found


def _targets(part: Mapping[str, JobEntry], edge: str, at: int) -> list[Node]:
    if "@" in edge:
        return [Node.parse(edge)]
    dates = part[edge].at
    return [Node(edge, at)] if at in dates else [Node(edge, one) for one in dates]
