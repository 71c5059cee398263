"""Settings of item_neighbours and of the sources that draw on neighbours."""

from pydantic import Field

from shoprec.models.linear.config import LinearSettings
from shoprec.retrieval.co_visits import CoVisitSettings
from shoprec.retrieval.neighbours import NeighbourSettings
from shoprec.settings import Settings


class BasketNeighbourSettings(NeighbourSettings):
    """How common baskets become neighbours."""

    neighbours: int = Field(40, ge=1, le=1000, description="neighbours kept for an item")
    min_support: int = Field(4, ge=1, le=1_000_000, description="baskets looked at that must hold both items")
    shrink: float = Field(2.0, ge=0, le=1e6, description="added below the line, baskets")
    max_items: int = Field(100, ge=2, le=100_000, description="items that a basket keeps, the latest first")
    max_holders: int = Field(100_000, ge=10, le=10_000_000, description="baskets of an item that are looked at, about")


class ItemNeighboursConfig(Settings):
    """Settings of all kinds of neighbours."""

    similar: NeighbourSettings = Field(NeighbourSettings(), description="holders are users")
    bought_together: BasketNeighbourSettings = Field(BasketNeighbourSettings(), description="holders are baskets")
    linear: LinearSettings = Field(LinearSettings(), description="one speaks for the other among all that a user has")
    co_visit: CoVisitSettings = Field(CoVisitSettings(), description="one follows the other in a user's history")


class ItemKnnConfig(Settings):
    """How a user's items speak through their neighbours."""

    half_life_days: float = Field(60.0, gt=0, le=3650, description="days after which a purchase counts half")
    items: int = Field(200, ge=1, le=10_000, description="items that speak for a user, the weightiest first")
