"""Settings of als."""

from typing import Literal

from pydantic import Field, model_validator

from shoprec.settings import Settings


class AlsConfig(Settings):
    """Settings of the factorisation."""

    rank: int = Field(48, ge=1, le=1024, description="width of the embeddings")
    iterations: int = Field(8, ge=1, le=100, description="rounds: all items, then all users")
    alpha: float = Field(10.0, gt=0, le=1e4, description="confidence = 1 + alpha · weight")
    regularisation: float = Field(
        0.05, ge=0, le=1e3, description="lambda; a row's is lambda · count^regularisation_exponent"
    )
    regularisation_exponent: float = Field(
        1.0, ge=0, le=2, description="1: by count, as Spark ML and 'iALS revisited'; 0: the same for all, as implicit"
    )
    regularise_unobserved: bool = Field(
        False, description="a row's count includes what it does not hold, at 1 / alpha each, as in 'iALS revisited'"
    )
    solver: Literal["conjugate_gradient", "cholesky", "spark_ml"] = Field(
        "conjugate_gradient", description="near, exact, or Spark ML's own ALS, for comparison"
    )
    steps: int = Field(3, ge=1, le=100, description="steps of conjugate gradient for each row and round")
    warm_start: bool = Field(
        False, description="go on from the embeddings of the last run published for an earlier date, if there is one"
    )

    @model_validator(mode="after")
    def _known_to_spark(self) -> "AlsConfig":
        if self.solver == "spark_ml" and (self.regularisation_exponent != 1 or self.regularise_unobserved):
            raise ValueError("solver: spark_ml regularises by count alone (regularisation_exponent: 1)")
        if self.solver == "spark_ml" and self.warm_start:
            raise ValueError("solver: spark_ml knows no warm_start")
        return self
