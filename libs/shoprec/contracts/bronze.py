"""Bronze: each dataset as it was read, with the source's own columns and where each row came from."""

from shoprec.contracts.core import Column, Table, Write

FILE = Column("_file", "string", "name of the file (path below the dataset's root) that the row was read from")
FILE_BYTES = Column("_file_bytes", "long", "bytes of the file; a known file that changes size is refused")
INGESTION_ID = Column("_ingestion_id", "long", "number of the ingestion that brought the file, from 1, rising", low=1)
ROW = Column("_row", "long", "place of the row in its file (Parquet, simulated); else a 64-bit hash of its columns")
OCCURRENCE = Column("_occurrence", "int", "1; where _row is a hash, 2, 3 … for the repeats of an equal row", low=1)

#: The columns that ingest adds to every dataset.
LINEAGE: tuple[Column, ...] = (FILE, FILE_BYTES, INGESTION_ID, ROW, OCCURRENCE)


def bronze(dataset: str, columns: tuple[Column, ...]) -> Table:
    """The contract of one bronze dataset with the source's own ``columns``."""
    return Table(
        layer="bronze",
        name=dataset,
        comment=f"one row of the source dataset {dataset}, as read",
        columns=(*columns, *LINEAGE),
        key=(FILE.name, ROW.name, OCCURRENCE.name),
        write=Write.APPEND,
        may_be_empty=True,
    )
