"""user_profiles: activity, habits, tastes, price level, response to promotions and lifecycle stage of every user."""

from shoprec.cleaning.versions import valid_at
from shoprec.contracts.gold import USER_PROFILES
from shoprec.contracts.silver import INTERACTIONS, ITEMS, PROMOTIONS, USERS
from shoprec.features.activity import baskets
from shoprec.features.config import ProfileSettings
from shoprec.features.exposure import exposed
from shoprec.features.lines import known_lines
from shoprec.features.pairs import seen_basket_items, user_pairs
from shoprec.features.user_profiles import user_profiles
from shoprec.job import Job, JobContext, cli
from shoprec.reuse import reused


def run(job: JobContext) -> None:
    """Describe the users with known purchases."""
    items = valid_at(job.read(ITEMS), job.as_of, ("item_id",))
    users = valid_at(job.read(USERS), job.as_of, ("user_id",))
    with reused(known_lines(job.read(INTERACTIONS), job.as_of)) as lines:
        seen = seen_basket_items(exposed(lines, job.read(PROMOTIONS), job.as_of))
        pairs = user_pairs(seen, items, job.settings.half_life_days)
        with reused(baskets(lines), "user_id") as own_baskets, reused(pairs, "user_id") as own_pairs:
            profiles = user_profiles(lines, own_baskets, own_pairs, users, job.shop.time_zone, job.settings)
            job.write(profiles, USER_PROFILES)


JOB = Job(
    name="user_profiles",
    about=__doc__,
    run=run,
    settings=ProfileSettings,
    reads=(INTERACTIONS, ITEMS, USERS, PROMOTIONS),
    writes=(USER_PROFILES,),
)

if __name__ == "__main__":
    cli(JOB)
