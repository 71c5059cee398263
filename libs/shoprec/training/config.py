"""What every trained model can be told: where and on how many processes it trains, how long, in which batches."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from shoprec.settings import Settings

Launcher = Literal["in_process", "horovod", "horovod_spark", "torch", "torch_distributor"]


class TrainingConfig(Settings):
    """Settings of the loop and of its launch, shared by all models that it trains."""

    PLACE: ClassVar[frozenset[str]] = frozenset(
        [
            "launcher",
            "ranks",
            "hosts",
            "threads",
            "device",
            "rank_memory_gib",
            "checkpoints",
            "hang_s",
            "silence_s",
            "tracking",
            "experiment",
        ]
    )

    launcher: Launcher = Field(
        "horovod",
        description="in_process: one rank in the job's own process; horovod, torch: processes on this machine "
        "(horovod: also on `hosts`); horovod_spark, torch_distributor: processes on Spark's executors",
    )
    ranks: int = Field(2, ge=1, le=4096, description="processes that train together; 1 for in_process")
    hosts: str = Field("", description="machines for launcher horovod, 'a:4,b:4' (slots each); '': this machine")
    threads: int = Field(1, ge=1, le=256, description="CPU threads of one rank; ranks x threads: the machine's cores")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a rank's own GPU where there is one")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of matrix products; auto: bfloat16 on GPUs that have it, float32 elsewhere"
    )
    lanes: int = Field(
        16,
        ge=1,
        le=65536,
        description="equal parts of the samples that give each batch the same number of rows; a multiple of `ranks`, "
        "so that the batches do not depend on the number of ranks",
    )
    batch: int = Field(4096, ge=1, le=1 << 24, description="samples of one step over all ranks; a multiple of `lanes`")
    epochs: int = Field(6, ge=1, le=1000, description="passages over the samples, at most")
    patience: int = Field(2, ge=1, le=1000, description="epochs without a better validation figure before the end")
    learning_rate: float = Field(
        1e-3, gt=0, le=10, description="of dense parameters (AdamW); falls to a tenth, linearly"
    )
    table_rate: float = Field(0.1, gt=0, le=10, description="of embedding tables (row-wise Adagrad); falls alike")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="of dense parameters, decoupled")
    rank_memory_gib: float = Field(
        0, ge=0, le=1 << 14, description="GiB that one rank may use; 0: an equal share of what its machine has free"
    )
    checkpoints: int = Field(2, ge=2, le=1000, description="latest epochs whose checkpoints are kept, beside the best")
    hang_s: int = Field(
        30, ge=5, le=3600, description="seconds after which ranks that wait for a rank that stopped give up"
    )
    silence_s: int = Field(
        300,
        ge=10,
        le=86400,
        description="seconds without any sign of progress after which a training is ended "
        "(launchers horovod and torch), or a rank that others wait for at a barrier is given up (torch)",
    )
    tracking: str = Field(
        "", description="MLflow tracking URI; '': SQLite below `files` on a local disk, else what the environment says"
    )
    experiment: str = Field("shoprec", min_length=1, description="MLflow experiment; on Databricks a path")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.launcher == "in_process" and self.ranks != 1:
            raise ValueError(f"launcher in_process trains on one rank; ranks is {self.ranks}: set ranks=1")
        if self.lanes % self.ranks:
            raise ValueError(f"lanes ({self.lanes}) is no multiple of ranks ({self.ranks}): set lanes")
        if self.batch % self.lanes:
            raise ValueError(f"batch ({self.batch}) is no multiple of lanes ({self.lanes}): set batch")
        return self
