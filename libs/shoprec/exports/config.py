"""Settings of the export."""

from typing import ClassVar, Literal

from pydantic import Field

from shoprec.settings import Settings


class ExportConfig(Settings):
    """Settings of the job export."""

    TARGET: ClassVar[frozenset[str]] = frozenset(["out"])

    out: str = Field("", description="folder or URI that receives the export; empty: <files>/exports/<run_id>")
    formats: tuple[Literal["parquet", "jsonl"], ...] = Field(
        ("parquet", "jsonl"), min_length=1, description="formats that are written: parquet, jsonl"
    )
    users_per_file: int = Field(10_000, ge=1, le=100_000, description="most users a file, 1 to 100,000")
