"""recommendations: candidates of all sources, fused by rankers that learnt one horizon earlier, with reasons."""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.context import known_before
from shoprec.contracts.gold import (
    CANDIDATES,
    ITEM_EMBEDDINGS,
    ITEM_NEIGHBOURS,
    RECOMMENDATIONS,
    USER_EMBEDDINGS,
    USER_INDEX,
)
from shoprec.contracts.gold_features import ITEM_FEATURES, USER_PROFILES
from shoprec.contracts.silver import INTERACTIONS
from shoprec.exports.files import save
from shoprec.job import Job, JobContext, cli
from shoprec.ranking.config import RankingConfig
from shoprec.ranking.features import features, matched_by, pair_rows
from shoprec.ranking.fit import fit
from shoprec.ranking.learner import learnt_from
from shoprec.ranking.lists import lists
from shoprec.ranking.pairs import pairs, purchases
from shoprec.ranking.reasons import explained
from shoprec.retrieval.matches import matches


def run(job: JobContext) -> None:
    """Learn on the lists of one horizon earlier, then rank today's candidates."""
    earlier, settings = job.as_of - timedelta(days=job.horizon), job.settings
    interactions = job.read(INTERACTIONS)
    known_then = known_before(job.lake.read(INTERACTIONS), earlier)
    users = job.read(USER_INDEX, as_of=earlier)
    some = learnt_from(users, job.seed, settings)
    then = features(_pair_rows(job, known_then, earlier, some), settings.sources)
    fitted = fit(then, interactions, users.where(some), earlier, job.horizon, job.seed, settings, job.progress)
    save(f"{job.files}/models/ranker/{job.run_id}", fitted.rankers.files({**fitted.facts, "run_id": job.run_id}))
    job.note(gate=fitted.gate, digests=fitted.rankers.digests)
    job.progress("scores today's candidates")
    chosen = lists(_pair_rows(job, interactions, job.as_of, F.lit(True)), fitted.rankers, settings)
    neighbours = job.read(ITEM_NEIGHBOURS, kind="similar")
    made = explained(chosen, job.read(ITEM_FEATURES), neighbours, interactions, settings.sources, settings.reasons)
    job.write(made, RECOMMENDATIONS)


def _pair_rows(job: JobContext, known: DataFrame, as_of: date, users: Column) -> DataFrame:
    """The pairs of the ``users`` that the condition takes: before anything is made of the others, who may be many."""
    settings = job.settings
    candidates = job.read(CANDIDATES, as_of=as_of, source=list(settings.sources)).where(users)
    vectors = (job.read(table, as_of=as_of) for table in (USER_EMBEDDINGS, ITEM_EMBEDDINGS))
    matched = matches(candidates, *vectors, matched_by(settings.sources))
    bought = purchases(known.where(users), as_of, job.horizon)
    paired = pairs(candidates, matched, bought, settings.sources, settings.half_life_days, job.horizon)
    return pair_rows(paired, *(job.read(table, as_of=as_of) for table in (USER_INDEX, USER_PROFILES, ITEM_FEATURES)))


JOB = Job(
    name="recommendations",
    about=__doc__,
    run=run,
    settings=RankingConfig,
    reads=(
        CANDIDATES,
        USER_EMBEDDINGS,
        ITEM_EMBEDDINGS,
        USER_PROFILES,
        ITEM_FEATURES,
        ITEM_NEIGHBOURS,
        USER_INDEX,
        INTERACTIONS,
    ),
    writes=(RECOMMENDATIONS,),
)

if __name__ == "__main__":
    cli(JOB)
