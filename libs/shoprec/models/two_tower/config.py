"""Settings of the two-tower model."""

from pydantic import Field

from shoprec.training.config import TrainingConfig


class TwoTowerConfig(TrainingConfig):
    """What the towers look like, what they are told, and by what they are judged while they train."""

    batch: int = Field(1024, ge=1, le=1 << 24, description="samples of one step over all ranks; a multiple of `lanes`")
    epochs: int = Field(2, ge=1, le=1000, description="passages over the samples, at most")
    table_rate: float = Field(0.03, gt=0, le=10, description="of embedding tables (row-wise Adagrad); falls to a tenth")

    width: int = Field(64, ge=2, le=4096, description="width of the embeddings")
    hidden: int = Field(128, ge=2, le=16384, description="width of the user tower's hidden layer")
    temperature: float = Field(
        0.1, ge=0.01, le=10, description="divides the cosine of user and item in the loss; lower: sharper"
    )
    negatives: int = Field(512, ge=1, le=1 << 20, description="items drawn in each step, shared by all its samples")
    recent: int = Field(100, ge=0, le=1000, description="latest items of a user that the user tower reads")
    recent_kept: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of a user's recent items that a step of training reads, drawn anew each time",
    )
    recent_half_life_days: float = Field(60, gt=0, le=3650, description="age at which a recent item counts half, days")
    user_numeric: tuple[str, ...] = Field((), description="numeric columns of user_profiles to read; none: all")
    user_words: tuple[str, ...] = Field(
        ("market", "stage", "age_band", "income_band", "household_size", "household_type", "children", "country"),
        description="columns of words of user_profiles to read",
    )
    item_numeric: tuple[str, ...] = Field((), description="numeric columns of item_features to read; none: all")
    item_words: tuple[str, ...] = Field(
        ("department", "category", "subcategory", "brand", "brand_type"),
        description="columns of words of item_features to read",
    )
    most_words: int = Field(
        10_000, ge=1, le=1_000_000, description="most frequent words of a column that have an embedding of their own"
    )
    user_buckets: int = Field(
        0, ge=0, le=1 << 30, description="rows of a table of hashed user ids; 0: users are known by what they did alone"
    )
    encoder: str = Field(
        "", description="encoder of text_embeddings that is read; '': that which the run's text_embeddings chose"
    )
    text: bool = Field(True, description="whether the item tower reads text vectors")
    validation_share: float = Field(
        0.2, ge=0, le=0.9, description="share of a validation user's recent pairs that is held out"
    )
    validation_days: float = Field(28, gt=0, le=3650, description="age up to which pairs are held out, days")
    validation_users: int = Field(500, ge=0, le=100_000, description="users, about, that have pairs held out; 0: none")
    validation_k: int = Field(20, ge=1, le=1000, description="length of the list whose recall is the validation figure")
    snapshot_files: int = Field(8, ge=1, le=100_000, description="Parquet files that the samples are written to")
