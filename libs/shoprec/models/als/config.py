"""Settings of als."""

from pydantic import Field

from shoprec.settings import Settings


class AlsConfig(Settings):
    """Settings of the factorisation."""

    rank: int = Field(48, ge=1, le=1024, description="width of the embeddings")
    iterations: int = Field(8, ge=1, le=100, description="rounds; above 10 the session needs spark.checkpoint.dir")
    regularisation: float = Field(0.05, ge=0, le=1e3, description="lambda, scaled by each row's number of samples")
    alpha: float = Field(10.0, gt=0, le=1e4, description="confidence = 1 + alpha · weight")
    blocks: int = Field(4, ge=1, le=10_000, description="blocks of users and of items: tasks of one round")
