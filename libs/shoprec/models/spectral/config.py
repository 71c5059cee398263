"""Settings of spectral."""

from pydantic import Field

from shoprec.settings import Settings


class SpectralConfig(Settings):
    """Settings of the decomposition."""

    rank: int = Field(32, ge=1, le=256, description="width of the embeddings: directions that are kept")
    oversampling: int = Field(16, ge=0, le=64, description="further directions that are followed and then dropped")
    passes: int = Field(5, ge=1, le=50, description="passages over the samples; more bring the directions nearer")
    cap: float = Field(
        2.0, gt=0, le=1e6, description="most that one pair's weight counts: a staple is one taste of many"
    )
    popularity: float = Field(
        0.5, ge=0, le=2, description="exponent of 1 + the item's recent users, by which its scores are multiplied"
    )
    popularity_days: float = Field(14.0, gt=0, le=3650, description="age up to which a user of an item is recent")
    max_items: int = Field(5_000, ge=2, le=100_000, description="items that a user keeps, the latest first")
    blocks: int = Field(
        4,
        ge=1,
        le=1_000,
        description="blocks of users, and parts of the catalogue, that a passage multiplies: one for some 50,000 users",
    )
