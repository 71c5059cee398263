"""Gold tables about the runs themselves: what each job did, how good the lists were, which runs are published."""

from shoprec.contracts.core import Column, Table, Write
from shoprec.contracts.run_columns import AS_OF, RUN_ID

METRICS = Table(
    layer="gold",
    name="metrics",
    comment="one figure of one subject over one segment of users, with its 95% bootstrap interval",
    columns=(
        Column("as_of", "date", "the day of judging: purchases in [as_of - horizon, as_of) decide"),
        Column("run_id", "string", "the run whose lists are judged"),
        Column("job", "string", "job that judged"),
        Column("lists_as_of", "date", "the day that the judged lists were made for"),
        Column("subject", "string", "a source, 'fused', or 'fused - <source>' for a paired difference"),
        Column("list", "string", "all: all purchases; discovery: items new to the user", allowed=("all", "discovery")),
        Column("segment", "string", "'all' or a segment of users, e.g. 'activity=high'"),
        Column("metric", "string", "e.g. ndcg@10"),
        Column("value", "double", "the figure: mean over the segment's users", tolerance=1e-3),
        Column("low", "double", "lower end of the 95% interval; null where none applies", nullable=True),
        Column("high", "double", "upper end of the 95% interval; null where none applies", nullable=True),
        Column("p_value", "double", "two-sided, paired differences only", nullable=True, low=0, high=1),
        Column("users", "long", "users judged", low=0),
    ),
    key=("run_id", "as_of", "job", "subject", "list", "segment", "metric"),
    write=Write.REPLACE,
    seen_at_once=True,
    partition=("as_of", "run_id", "job"),
    slice=("as_of", "run_id", "job"),
)

JOB_RUNS = Table(
    layer="gold",
    name="job_runs",
    comment="one job of one run that came to its end: what a restarted run need not repeat",
    columns=(
        RUN_ID,
        Column("job", "string", "job"),
        AS_OF,
        Column(
            "settings_hash", "string", "hash of shop, settings, code and where the job puts what it makes; equal: done"
        ),
        Column("versions_read", "string", "JSON: table -> its version when the job first asked for it"),
        Column("versions_written", "string", "JSON: table -> its version once the job had written"),
        Column("rows_written", "string", "JSON: table -> rows written"),
        Column("detail", "string", "JSON: what the job has to say, e.g. figures of training", wall_clock=True),
        Column("started_at", "timestamp", "UTC", wall_clock=True),
        Column("seconds", "double", "wall-clock seconds", low=0, wall_clock=True),
        Column("cpu_seconds", "double", "CPU-seconds of all processes on the driver's machine", low=0, wall_clock=True),
        Column("peak_rss_gib", "double", "GiB; most memory of all processes together", low=0, wall_clock=True),
    ),
    key=("run_id", "job", "as_of"),
    write=Write.REPLACE,
    partition=("as_of", "run_id", "job"),
    slice=("as_of", "run_id", "job"),
)

RUNS = Table(
    layer="gold",
    name="runs",
    comment="one published run; readers see the partitions of published runs alone",
    columns=(
        RUN_ID,
        AS_OF,
        Column("predecessor", "string", "run that was the latest when this one was published; '' for the first"),
        Column("sequence", "long", "1 for the first published run, then rising by 1", low=1),
        Column("shop", "string", "shop"),
        Column("horizon", "int", "days after the as-of date by which the lists are judged", low=1),
        Column("gate", "string", "JSON: the gate's figures, ours and the predecessor's"),
        Column("seeds", "string", "JSON: the seeds of the run"),
        Column("digests", "string", "JSON: model -> SHA-256 of its weights"),
        Column("settings_hash", "string", "hash of shop, settings and code"),
        Column("published_at", "timestamp", "UTC", wall_clock=True),
    ),
    key=("run_id",),
    write=Write.MERGE,
    may_be_empty=True,
)
