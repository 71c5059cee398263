"""The whole graph in one session, for one as-of date: published as a whole or not at all."""

import time
from collections.abc import Mapping
from datetime import date, datetime

from shoprec.config import Config
from shoprec.errors import ShoprecError
from shoprec.graph import JobEntry, Node, nodes
from shoprec.job import done_before, load_job, perform, say
from shoprec.lake import Lake


def run_part(part: Mapping[str, JobEntry], told: Config, lake: Lake, as_of: date, run_id: str) -> None:
    """Run every job of ``part`` that has not come to its end in run ``run_id``, in the graph's order.

    :raises ShoprecError: of the first job that failed; started again, the run goes on at that job
    """
    order, done = list(nodes(part)), done_before(lake, run_id, told.digest)
    for place, node in enumerate(order, 1):
        day = told.date_at(as_of, node.at)
        label = f"[{place:>2}/{len(order)}] {datetime.now():%H:%M:%S} {node.job} for {day}"
        if (node.job, day) in done:
            say(f"{label}: done before")
            continue
        say(label)
        started = time.monotonic()
        try:
            context = perform(load_job(node.job), told, lake, day, run_id)
        except ShoprecError as error:
            left = len(order) - place + 1
            error.args = (
                f"{node.job} for {day}: {error}\n(run {run_id} stopped with {left} of {len(order)} jobs left; nothing "
                "of it is published; the same command goes on from here)",
            )
            raise
        rows = ", ".join(f"{w.rows:,} rows to {w.table}" for w in context.written)
        say(f"         {time.monotonic() - started:.1f} s{': ' + rows if rows else ''}")


def run_pipeline(told: Config, lake: Lake, as_of: date, run_id: str) -> None:
    """Make, publish and export the run ``run_id`` for ``as_of``; go on where an earlier try ended."""
    say(f"run {run_id}: shop {told.shop.name}, as of {as_of}, lake {lake.tables}")
    run_part(told.graph.jobs, told, lake, as_of, run_id)


def judge(told: Config, lake: Lake, as_of: date, run_id: str) -> None:
    """Judge the run ``run_id``, made for ``as_of``, one horizon later."""
    run_part(told.graph.judging, told, lake, told.date_at(as_of, 1), run_id)
