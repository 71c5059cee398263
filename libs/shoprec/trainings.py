"""What the jobs of models of embeddings share."""

import json
from collections.abc import Callable

from shoprec.context import JobContext
from shoprec.contracts.gold import ITEM_EMBEDDINGS, USER_EMBEDDINGS
from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.models.trained import Places, Trained
from shoprec.training.config import TrainingConfig
from shoprec.training.storage import Folder
from shoprec.training.tracking import Training, record


def keep(job: JobContext, config: TrainingConfig, fit: Callable[[Places], Trained]) -> None:
    """Fit, write the embeddings under the job's name, and keep the training."""
    name, place = job.job.name, f"{job.run_id}/{job.as_of}"
    places = Places(Folder(f"{job.files}/training/{place}/{name}"), Folder(f"{job.files}/models/{name}/{place}"))
    made = fit(places)
    job.write(made.users, USER_EMBEDDINGS, model=name)
    job.write(made.items, ITEM_EMBEDDINGS, model=name)
    tags = {"run_id": job.run_id, "as_of": str(job.as_of), "shop": job.shop.name, "sha256": made.facts["sha256"]}
    training = Training(f"{name} {place}", config.model_dump(), tags, made.facts, places.model)
    job.note(
        training=made.facts,
        digests={f"{name} {job.as_of}": made.facts["sha256"]},
        model=places.model.uri,
        mlflow_run=record(training, config, job.files),
    )


def drawn_on(job: JobContext) -> bool:
    """Whether a source of candidates draws on the job's embeddings; that none does is told."""
    if job.job.name in job.config.jobs["candidates"].models:
        return True
    job.progress("not made: no source of candidates draws on it")
    return False


def encoder_of(job: JobContext) -> str:
    """The encoder of texts that the settings name, or that this run's text_embeddings chose; '': neither is known.

    The vectors of other runs lie beside its own, perhaps by another encoder.
    """
    if job.settings.encoder:
        return job.settings.encoder
    ended = job.lake.read(JOB_RUNS, run_id=job.run_id, job="text_embeddings").select("as_of", "detail").collect()
    if not ended:
        return ""
    return json.loads(max(ended, key=lambda row: row["as_of"])["detail"]).get("encoder", "")
