"""The shop that a public split is made into."""

from collections.abc import Mapping
from typing import Any

#: Datasets of the shop, which are folders of Parquet files.
SALES, CATALOGUE = "sales", "catalogue"


def described(folder: str, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The shop's YAML as a mapping.

    :param folder: holds the folders ``sales`` (user_id, item_id, weight, event_at) and ``catalogue`` (item_id, name,
        text)
    :param settings: {job: {name: value}}
    """
    same = {"market": "'all'", "domain": "'all'"}
    return {
        "name": "public_split",
        "about": "A public split, its users' rows a day apart or drawn at random",
        "currency": "EUR",
        "datasets": {name: {"format": "parquet", "path": f"{folder}/{name}"} for name in (SALES, CATALOGUE)},
        "tables": {
            "interactions": [{
                "dataset": SALES,
                "columns": {
                    **same, "event_at": "event_at", "type": "'purchase'", "user_id": "user_id", "item_id": "item_id",
                    # Thousandths are what a quantity is counted in.
                    "quantity": "greatest(weight, 0.001)",
                },
            }],
            "items": [{
                "dataset": CATALOGUE,
                "columns": {"item_id": "item_id", "domain": "'all'", "name": "name", "text": "text"},
            }],
        },
        "settings": dict(settings),
    }  # fmt: skip
