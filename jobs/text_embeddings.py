"""text_embeddings: the embedding of every distinct item text that has none yet; kept across runs by its hash."""

from shoprec.cleaning.versions import valid_at
from shoprec.contracts.gold import TEXT_EMBEDDINGS
from shoprec.contracts.silver import ITEMS
from shoprec.features.config import TextSettings
from shoprec.features.text import chosen, text_embeddings, unknown_texts
from shoprec.job import Job, JobContext, cli
from shoprec.reuse import reused


def run(job: JobContext) -> None:
    """Encode the texts that are new."""
    settings = job.settings.model_copy(update={"encoder": chosen(job.settings.encoder)})
    job.note(encoder=settings.encoder)
    items = valid_at(job.read(ITEMS), job.as_of, ("item_id",))
    texts = unknown_texts(items, job.read(TEXT_EMBEDDINGS), settings.encoder)
    with reused(text_embeddings(texts, settings)) as vectors:
        job.write(vectors, TEXT_EMBEDDINGS)


JOB = Job(
    name="text_embeddings",
    about=__doc__,
    run=run,
    settings=TextSettings,
    reads=(ITEMS, TEXT_EMBEDDINGS),
    writes=(TEXT_EMBEDDINGS,),
)

if __name__ == "__main__":
    cli(JOB)
