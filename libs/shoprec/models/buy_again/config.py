"""Settings of buy_again."""

from pydantic import Field

from shoprec.settings import Settings


class BuyAgainConfig(Settings):
    """Settings of buying again. The defaults do well on groceries; see the model for the formula."""

    half_life_visits: float = Field(17.0, gt=0, le=10_000, description="visits of the user after which one counts half")
    item_pull: float = Field(2.0, ge=0, le=1000, description="visits' worth of an item that every buyer buys again")
    gap_prior: float = Field(2.0, gt=0, le=1000, description="gaps' worth of the item's rhythm in the user's own")
    rate_prior: float = Field(10.0, gt=0, le=1e6, description="buyers' worth of the shop's repeat rate in an item's")
    overdue_gaps: float = Field(6.0, gt=0, le=1000, description="usual gaps of silence after which half is left")
