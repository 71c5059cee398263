"""Settings of popular."""

from pydantic import Field

from shoprec.settings import Settings


class PopularConfig(Settings):
    """Settings of popularity."""

    half_life_days: float = Field(14.0, gt=0, le=3650, description="days after which a purchase counts half")
    prior: float = Field(300.0, gt=0, le=1e9, description="purchases' worth of the whole shop's taste in each market")
    length: int = Field(1500, ge=1, le=10_000, description="items of a market's list, before a user's share is taken")
