"""Settings of the source linear."""

from pydantic import Field

from shoprec.settings import Settings


class LinearSettings(Settings):
    """What is regressed on what."""

    head: int = Field(4_000, ge=10, le=20_000, description="items that foretell others: those that most users have")
    tail: int = Field(
        100_000, ge=0, le=10_000_000, description="items that are foretold alone: those that most have after the head"
    )
    regularisation: float = Field(200.0, gt=0, le=1e6, description="lambda, users")
    neighbours: int = Field(100, ge=1, le=1000, description="neighbours kept for an item")
    max_items: int = Field(200, ge=2, le=10_000, description="items of a user that count, the latest")
    max_entries: int = Field(
        20_000_000, ge=1_000, le=1_000_000_000,
        description="pairs of user and item that are learnt from, about: of more, those of some users, drawn by a hash",
    )  # fmt: skip


class LinearConfig(Settings):
    """How a user's items speak."""

    items: int = Field(200, ge=1, le=10_000, description="items that speak for a user, the latest")
    decay: float = Field(1.0, gt=0, le=1, description="weight of an item for each one that the user met later")
