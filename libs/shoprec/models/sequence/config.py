"""Settings of the sequence model."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shoprec.training.config import TrainingConfig


class SequenceConfig(TrainingConfig):
    """What reads the histories, how wide it is, and over which items its softmax goes."""

    batch: int = Field(256, ge=1, le=1 << 24, description="users of one step over all ranks; a multiple of `lanes`")
    epochs: int = Field(24, ge=1, le=1000, description="passages over the users, at most")
    patience: int = Field(4, ge=1, le=1000, description="epochs without a better validation figure before the end")

    reader: Literal["transformer", "gru", "lstm", "cnn"] = Field(
        "transformer", description="what reads a history: attention, a recurrence, or causal convolutions"
    )
    width: int = Field(64, ge=2, le=4096, description="width of the embeddings")
    layers: int = Field(2, ge=1, le=24, description="layers of the reader")
    heads: int = Field(2, ge=1, le=64, description="of attention; `width` is a multiple")
    kernel: int = Field(3, ge=2, le=64, description="places that a convolution sees")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of activations that training leaves out")
    length: int = Field(50, ge=2, le=2000, description="latest items of a user that are read")
    gaps: bool = Field(True, description="whether the days between items are read")
    text: bool = Field(True, description="whether items are known by their text vectors, too")
    encoder: str = Field(
        "", description="encoder of text_embeddings that is read; '': that which the run's text_embeddings chose"
    )
    same_moment: bool = Field(
        False,
        description="whether items are also foretold from others of their own moment (a basket, or where there is no "
        "time), in the order of a hash",
    )
    full_softmax_items: int = Field(
        60_000, ge=0, le=1 << 24, description="items up to which the softmax goes over all of them; beyond: `negatives`"
    )
    negatives: int = Field(4096, ge=1, le=1 << 20, description="items drawn in each step where the softmax is sampled")
    validation_users: int = Field(
        2000,
        ge=0,
        le=100_000,
        description="users, about, whose last moment is held out; of all a tenth at most",
    )
    validation_k: int = Field(
        10, ge=1, le=1000, description="length of the list whose hit rate is the validation figure"
    )

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.reader == "transformer" and self.width % self.heads:
            raise ValueError(f"width ({self.width}) is no multiple of heads ({self.heads})")
        return self
