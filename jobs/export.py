"""export: the published recommendations as files, one line a user, with a manifest of counts and SHA-256."""

from shoprec.contracts.gold import RECOMMENDATIONS
from shoprec.contracts.gold_features import ITEM_FEATURES
from shoprec.contracts.gold_runs import RUNS
from shoprec.errors import ConfigError
from shoprec.exports.bulk import export
from shoprec.exports.config import ExportConfig
from shoprec.exports.recommendations import documents
from shoprec.job import Job, JobContext, cli


def run(job: JobContext) -> None:
    """Write one document a user."""
    if job.read(RUNS, run_id=job.run_id).isEmpty():
        raise ConfigError(
            f"run {job.run_id} is not published, so nothing of it leaves — run the job runs first, or name a published "
            "run with --run-id"
        )
    if job.read(RECOMMENDATIONS).isEmpty():
        raise ConfigError(f"run {job.run_id} made no lists for {job.as_of} — name its own date with --as-of")
    out = job.settings.out or f"{job.files}/exports/{job.run_id}"
    lines = documents(job.read(RECOMMENDATIONS), job.read(ITEM_FEATURES), job.as_of, job.run_id)
    facts = {"run_id": job.run_id, "as_of": job.as_of.isoformat(), "horizon": job.horizon, "shop": job.shop.name}
    manifest = export(lines, out, job.settings.formats, job.settings.users_per_file, facts)
    job.note(
        out=out, users=manifest["users"], recommendations=manifest["recommendations"], files=len(manifest["files"])
    )
    job.progress(f"{manifest['users']:,} users in {len(manifest['files'])} files below {out}")


JOB = Job(
    name="export",
    about=__doc__,
    run=run,
    settings=ExportConfig,
    reads=(RUNS, RECOMMENDATIONS, ITEM_FEATURES),
    writes=(),
)

if __name__ == "__main__":
    cli(JOB)
