"""Settings of item_neighbours and of the sources that draw on neighbours."""

from pydantic import Field

from shoprec.retrieval.neighbours import NeighbourSettings
from shoprec.settings import Settings


class ItemNeighboursConfig(Settings):
    """Settings of both kinds of neighbours."""

    similar: NeighbourSettings = Field(NeighbourSettings(), description="holders are users")
    bought_together: NeighbourSettings = Field(
        NeighbourSettings(neighbours=40, min_support=4, shrink=2.0, max_items=100, max_holders=100_000),
        description="holders are baskets",
    )


class ItemKnnConfig(Settings):
    """How a user's items speak through their neighbours."""

    half_life_days: float = Field(60.0, gt=0, le=3650, description="days after which a purchase counts half")
    items: int = Field(200, ge=1, le=10_000, description="items that speak for a user, the weightiest first")
