"""The jobs from raw logs to features on simulated shops of three sizes: rows a second of each.

Rows are the shop's events, whatever a job makes of them. Size 1 is a million events of 20,000 users on 2,000 items; one
job runs at a time.

    make bench NAME=features [ARGS="--sizes 0.3 1 3"]
"""

import argparse

from tests.benchmarks._figures import save
from tests.benchmarks._jobs import EVENTS, at_size, growth, told

JOBS = ("user_profiles", "item_features", "item_neighbours", "samples", "text_embeddings")


def main() -> None:
    """Run every size and write the file."""
    asked = argparse.ArgumentParser(prog="features", description=__doc__.partition("\n")[0])
    asked.add_argument("--sizes", type=float, nargs="+", default=[0.3, 1.0, 3.0])
    sizes = sorted(asked.parse_args().sizes)
    found = {size: at_size(size, JOBS) for size in sizes}
    exponents = growth(found)
    print(told(found, exponents))
    rows = {
        job: {size: EVENTS * size / spent["seconds"] for size in sizes if (spent := found[size][job])}
        for job in exponents
    }
    save("features", ("pyspark", "delta-spark"), {"sizes": found, "rows_a_second": rows, "growth": exponents})


if __name__ == "__main__":
    main()
