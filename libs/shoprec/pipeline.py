"""The whole graph in one session, for one as-of date: published as a whole or not at all."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import date, datetime
from graphlib import TopologicalSorter

from shoprec.config import Config
from shoprec.contracts.core import Table
from shoprec.contracts.gold_runs import RUNS
from shoprec.errors import ConfigError, ShoprecError, first_line
from shoprec.graph import JobEntry, Node, nodes
from shoprec.job import load_job, say
from shoprec.lake import Lake
from shoprec.places import local_path
from shoprec.records import begin, carry_out, rows_by_table
from shoprec.runs import done_before
from shoprec.session import label_thread

#: What stands among the running jobs for the making of the tables that they use.
_TABLES = Node("tables")


def run_part(part: Mapping[str, JobEntry], told: Config, lake: Lake, as_of: date, run_id: str) -> None:
    """Run every job of ``part`` that has not come to its end in run ``run_id``, each once those it follows are done.

    As many run at a time as the environment says: most jobs wait for the driver half of their time.

    :raises ConfigError: another process is at the run, or it is published and a job would write its tables again
    :raises ShoprecError: of the first job that failed, when those beside it have ended; started again, the run goes on
    """
    with alone(told.env.files, run_id):
        _run_part(part, told, lake, as_of, run_id)


@contextmanager
def alone(files: str, run_id: str) -> Iterator[None]:
    """A block in which no other process has the run in its ``alone``, where ``files`` is a local folder.

    The mark is let go however the process ends. Elsewhere a scheduler must see to it, as that of the bundle does.

    :raises ConfigError: another process is at the run, or the folder cannot be written
    """
    folder = local_path(files)
    if folder is None:
        yield
        return
    mark = folder / "running" / run_id
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        opened = mark.open("a+")
    except OSError as error:
        raise ConfigError(f"cannot write below {files}: {error} — choose another place with --set files=…") from error
    with opened as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"run {run_id} is being made by process {mark.read_text() or '(unknown)'}: two at one run would write "
                "over each other — wait for it, end it, or make another run with --run-id"
            ) from error
        except OSError as error:
            say(f"warning: {mark} cannot be locked ({error}): see to it that no other process works at run {run_id}")
        held.truncate(0)
        held.write(f"{os.getpid()} on {socket.gethostname()}")
        held.flush()
        yield


def _run_part(part: Mapping[str, JobEntry], told: Config, lake: Lake, as_of: date, run_id: str) -> None:
    before, done = nodes(part), done_before(lake, run_id, told, part, as_of)
    to_do = [(load_job(node.job), told.date_at(as_of, node.at)) for node in before if node not in done]
    begin(to_do, lake, run_id)
    graph = TopologicalSorter(before)
    graph.prepare()
    running: dict[Future, Node] = {}
    ended = 0
    with ThreadPoolExecutor(told.env.parallel_jobs, thread_name_prefix="job") as pool:
        # The first job makes its own; where jobs run beside each other it need not wait for these.
        tables = pool.submit(lake.ensure, _tables(part))
        running[tables] = _TABLES
        while graph.is_active():
            for node in graph.get_ready():
                if node in done:
                    ended += 1
                    say(f"[{ended:>2}/{len(before)}] {node.job} for {told.date_at(as_of, node.at)}: done before")
                    graph.done(node)
                else:
                    running[pool.submit(_run, node, told, lake, as_of, run_id, tables)] = node
            if not running:
                continue
            finished = _first_ended(running, pool)
            node = running.pop(finished)
            if finished.exception() is not None:
                ended += _end(finished, node, running, pool)
                place = f"{node.job} for {told.date_at(as_of, node.at)}"
                if node.at < 0:
                    place += f" ({-node.at * told.horizon} days before the run's date: the ranker learns there)"
                raise _with_place(finished.exception(), place, lake, run_id, len(before) - ended)
            if node is not _TABLES:
                ended += 1
                say(f"[{ended:>2}/{len(before)}] {finished.result()}")
                graph.done(node)


def _end(failed: Future, node: Node, running: Mapping[Future, Node], pool: ThreadPoolExecutor) -> int:
    """Tell at once what failed, let the jobs beside it end, and tell what became of them: how many ended well."""
    for future in running:
        future.cancel()
    beside = {future: name for future, name in running.items() if not future.cancelled() and name is not _TABLES}
    waiting = f"; waits for {', '.join(str(name) for name in beside.values())} to end" if beside else ""
    say(f"         {node} failed: {first_line(failed.exception())}{waiting}")
    pool.shutdown()
    for future, name in beside.items():
        error = future.exception()
        say(f"         {name} failed, too: {first_line(error)}" if error else f"         {future.result()}")
    return sum(future.exception() is None for future in beside)


def _first_ended(running: Mapping[Future, Node], pool: ThreadPoolExecutor) -> Future:
    try:
        done = wait(running, return_when=FIRST_COMPLETED).done
        # Tables first: where they cannot be made, the jobs that wait for them fail with the same error.
        return min(done, key=lambda future: running[future] is not _TABLES)
    except BaseException:  # Ctrl-C: jobs that wait for their turn must not start
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _tables(part: Mapping[str, JobEntry]) -> dict[Table, None]:
    """The tables that the jobs of ``part`` read and write."""
    jobs = [load_job(name) for name in part]
    return dict.fromkeys(table for job in jobs for table in (*job.reads, *job.writes))


def _run(node: Node, told: Config, lake: Lake, as_of: date, run_id: str, tables: Future[None]) -> str:
    name = f"{node.job} for {told.date_at(as_of, node.at)}"
    say(f"        {datetime.now().astimezone():%H:%M:%S} {name}")
    job = load_job(node.job)
    if job.reads or job.writes:
        tables.result()
    started = time.monotonic()
    label_thread(lake.spark, name)
    context = carry_out(job, told, lake, as_of, run_id, node.at)
    rows = ", ".join(f"{rows:,} rows to {table}" for table, rows in rows_by_table(context.written).items())
    return f"{name}: {time.monotonic() - started:.1f} s{', ' + rows if rows else ''}"


def _with_place(error: BaseException, place: str, lake: Lake, run_id: str, left: int) -> BaseException:
    if not isinstance(error, ShoprecError):
        # Spark itself may be what failed: it is not asked whether the run is published.
        error.add_note(f"({place}, run {run_id}, stopped with {left} jobs left; the same command goes on from here)")
        return error
    seen = "nothing of it is published" if lake.read(RUNS, run_id=run_id).isEmpty() else "it is published already"
    again = (
        ""
        if isinstance(error, ConfigError)
        else "; the same command goes on from here with the data that it took in; with more or mended data make "
        "another run: --run-id NAME"
    )
    error.args = (f"{place}: {error}\n(run {run_id} stopped with {left} jobs left; {seen}{again})",)
    return error


def run_pipeline(told: Config, lake: Lake, as_of: date, run_id: str) -> None:
    """Make, publish and export the run ``run_id`` for ``as_of``; go on where an earlier try ended."""
    say(f"run {run_id}: shop {told.shop.name}, as of {as_of}, lake {lake.tables}")
    run_part(told.graph.jobs, told, lake, as_of, run_id)


def judge(told: Config, lake: Lake, as_of: date, run_id: str) -> None:
    """Judge the run ``run_id``, made for ``as_of``, one horizon later."""
    run_part(told.graph.judging, told, lake, told.date_at(as_of, 1), run_id)
