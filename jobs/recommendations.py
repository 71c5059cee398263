"""recommendations: candidates of all sources, fused by rankers that learnt from earlier horizons, with reasons."""

from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.gold import (
    CANDIDATES,
    ITEM_EMBEDDINGS,
    ITEM_NEIGHBOURS,
    RECOMMENDATIONS,
    USER_EMBEDDINGS,
    USER_INDEX,
)
from shoprec.contracts.gold_features import ITEM_FEATURES, USER_PROFILES
from shoprec.contracts.silver import INTERACTIONS, PROMOTIONS
from shoprec.exports.files import save
from shoprec.job import Job, JobContext, cli
from shoprec.ranking.config import RankingConfig
from shoprec.ranking.features import bought_within, catalogue, features, matched_by, pair_rows
from shoprec.ranking.fit import fit
from shoprec.ranking.habits import Habits, habits
from shoprec.ranking.histories import bought, histories
from shoprec.ranking.item_facts import item_facts
from shoprec.ranking.known import fit_known, scored
from shoprec.ranking.learner import learnt_from
from shoprec.ranking.lists import lists
from shoprec.ranking.pairs import pairs
from shoprec.ranking.plans import plans
from shoprec.ranking.reasons import explained
from shoprec.retrieval.matches import matches
from shoprec.reuse import Hold, holding


def run(job: JobContext) -> None:
    """Learn on what followed earlier days, then rank today's candidates."""
    settings, interactions, items = job.settings, job.read(INTERACTIONS), job.read(ITEM_FEATURES)
    earlier, periods = job.as_of - timedelta(days=job.horizon), settings.windows + 1
    users = job.read(USER_INDEX, as_of=earlier)
    some = learnt_from(users, job.seed, settings)
    with holding() as hold:
        told = hold(histories(job.read_all(INTERACTIONS), job.as_of))
        facts = hold(_facts(job, told, hold))
        rows = hold(habits(told, facts, catalogue(items), some, Habits(periods, job.horizon, 2 * settings.k)))
        known = fit_known(rows, job.seed, settings, job.progress)
        then = features(_pair_rows(job, told, facts, known.out_of_fold, 1, some), settings.sources)
        since = bought_within(interactions, earlier, job.horizon).join(users.where(some), on="user_id", how="left_semi")
        fitted = fit(then, since, job.seed, settings, known.known, job.progress)
        kept = {"gate": fitted.gate, "settings": settings.model_dump(), "seed": job.seed, "horizon": job.horizon}
        facts_of_run = {**kept, "learnt_from": str(earlier), "run_id": job.run_id}
        save(f"{job.files}/models/ranker/{job.run_id}", fitted.rankers.files(facts_of_run))
        job.note(gate=fitted.gate, digests=fitted.rankers.digests)
        job.progress("scores today's candidates")
        said = hold(scored(rows, known.known))
        chosen = lists(_pair_rows(job, told, facts, said, 0, F.lit(True)), fitted.rankers, settings)
        neighbours = job.read(ITEM_NEIGHBOURS, kind="similar")
        made = explained(chosen, said, items, neighbours, interactions, settings.sources, settings.reasons)
        job.write(made, RECOMMENDATIONS)


def _facts(job: JobContext, told: DataFrame, hold: Hold) -> DataFrame:
    """What is known of items at the as-of date and as many horizons before it as are learnt from."""
    periods = job.settings.windows + 1
    planned = hold(plans(job.read(PROMOTIONS), job.as_of, periods, job.horizon))
    job.note(promoted_ahead=planned.where("period = 0 AND mailer_ahead + display_ahead > 0").count())
    return item_facts(told, catalogue(job.read(ITEM_FEATURES)), planned, periods, job.horizon, hold)


def _pair_rows(
    job: JobContext, told: DataFrame, facts: DataFrame, odds: DataFrame, period: int, users: Column
) -> DataFrame:
    """The pairs of ``period`` horizons ago, of the users that the condition takes: before anything is made of the
    others, who may be many."""
    settings, day = job.settings, job.as_of - timedelta(days=period * job.horizon)
    candidates = job.read(CANDIDATES, as_of=day, source=list(settings.sources)).where(users)
    vectors = (job.read(table, as_of=day) for table in (USER_EMBEDDINGS, ITEM_EMBEDDINGS))
    count = job.read(USER_INDEX, as_of=day).where(users).count()
    matched = matches(candidates, *vectors, matched_by(settings.sources), count)
    known = bought(told.where(users), period * job.horizon, settings.half_life_days)
    paired = pairs(candidates, matched, known, odds, settings.sources, count)
    tables = (job.read(table, as_of=day) for table in (USER_INDEX, USER_PROFILES, ITEM_FEATURES))
    return pair_rows(paired, *tables, facts.where(F.col("period") == period))


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
        PROMOTIONS,
    ),
    writes=(RECOMMENDATIONS,),
)

if __name__ == "__main__":
    cli(JOB)
