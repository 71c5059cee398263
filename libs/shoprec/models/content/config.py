"""Settings of content."""

from pydantic import Field

from shoprec.settings import Settings


class ContentConfig(Settings):
    """What of a user's history speaks, and by which texts."""

    items: int = Field(20, ge=1, le=1_000, description="items that speak for a user, the latest")
    decay: float = Field(0.7, gt=0, le=1, description="weight of an item for each one that the user met later")
    encoder: str = Field(
        "", description="encoder of text_embeddings that is read; '': that which the run's text_embeddings chose"
    )
