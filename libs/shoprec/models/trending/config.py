"""Settings of trending."""

from pydantic import Field

from shoprec.settings import Settings


class TrendingConfig(Settings):
    """Settings of trends."""

    recent_days: int = Field(14, ge=1, le=365, description="days before the as-of date that count as now")
    past_days: int = Field(112, ge=1, le=3650, description="days before those that say what is usual")
    prior: float = Field(300.0, gt=0, le=1e9, description="purchases' worth of the whole shop's taste in each market")
    shrink: float = Field(20.0, gt=0, le=1e6, description="purchases added to what is expected: distrusts small counts")
    length: int = Field(1500, ge=1, le=10_000, description="items of a market's list, before a user's share is taken")
