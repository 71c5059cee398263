"""item_features: popularity, trend, price, promotion, loyalty, season and company of every item."""

from shoprec.cleaning.versions import valid_at
from shoprec.contracts.gold import ITEM_FEATURES
from shoprec.contracts.silver import INTERACTIONS, ITEMS, PRICES, PROMOTIONS
from shoprec.features.config import ItemFeatureSettings
from shoprec.features.item_features import item_features
from shoprec.features.lines import known_lines
from shoprec.features.pairs import basket_items, item_pairs
from shoprec.job import Job, JobContext, cli
from shoprec.reuse import reused


def run(job: JobContext) -> None:
    """Describe the items of the catalogue, and those sold that it lacks."""
    catalogue = valid_at(job.read(ITEMS), job.as_of, ("item_id",))
    prices = valid_at(job.read(PRICES), job.as_of, ("item_id", "market"))
    promotions = job.read(PROMOTIONS)
    lines = known_lines(job.read(INTERACTIONS), job.as_of)
    with reused(catalogue) as items, reused(basket_items(lines)) as bought, reused(item_pairs(bought)) as pairs:
        features = item_features(bought, pairs, items, prices, promotions, job.as_of, job.settings)
        job.write(features, ITEM_FEATURES)


JOB = Job(
    name="item_features",
    about=__doc__,
    run=run,
    settings=ItemFeatureSettings,
    reads=(INTERACTIONS, ITEMS, PRICES, PROMOTIONS),
    writes=(ITEM_FEATURES,),
)

if __name__ == "__main__":
    cli(JOB)
