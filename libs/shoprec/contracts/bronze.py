"""Bronze: each dataset as it was read, with the source's own columns and where each row came from."""

from shoprec.contracts.core import Column, Table, Write

FILE = Column("_file", "string", "name of the file (path below the dataset's root) that the row was read from")
INGESTION_ID = Column("_ingestion_id", "long", "number of the ingestion that brought the file, from 1, rising", low=1)
ROW_HASH = Column("_row_hash", "long", "64-bit hash of the row's columns as read")
OCCURRENCE = Column("_occurrence", "int", "1 for a row's first appearance in its file, 2 for its first repeat …", low=1)

#: The columns that ingest adds to every dataset.
LINEAGE: tuple[Column, ...] = (FILE, INGESTION_ID, ROW_HASH, OCCURRENCE)


def bronze(dataset: str, columns: tuple[Column, ...]) -> Table:
    """The contract of one bronze dataset with the source's own ``columns``."""
    return Table(
        layer="bronze",
        name=dataset,
        comment=f"one row of the source dataset {dataset}, as read",
        columns=(*columns, *LINEAGE),
        key=(FILE.name, ROW_HASH.name, OCCURRENCE.name),
        write=Write.APPEND,
        may_be_empty=True,
    )
