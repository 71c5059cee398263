"""Settings of the source co_visit."""

from pydantic import Field

from shoprec.settings import Settings


class CoVisitConfig(Settings):
    """How a user's latest items speak through what follows them."""

    items: int = Field(10, ge=1, le=1_000, description="items that speak for a user, the latest")
    decay: float = Field(0.6, gt=0, le=1, description="weight of an item for each one that the user met later")
