"""The whole chain, raw to export, on simulated shops of several sizes: what each job takes, and how that grows.

Size 1 is a million events of 20,000 users on 2,000 items. One job runs at a time. A job's growth is the exponent of its
CPU-seconds over the events: 1 is flat a row. Nobody has published such a figure to stand beside.

    make bench NAME=chain [ARGS="--sizes 1 3 10"]
"""

import argparse

from tests.benchmarks._figures import save
from tests.benchmarks._jobs import at_size, growth, told


def main() -> None:
    """Run every size and write the file."""
    asked = argparse.ArgumentParser(prog="chain", description=__doc__.partition("\n")[0])
    asked.add_argument("--sizes", type=float, nargs="+", default=[1.0, 3.0, 10.0])
    sizes = sorted(asked.parse_args().sizes)
    found = {size: at_size(size) for size in sizes}
    exponents = growth(found)
    print(told(found, exponents))
    save("chain", ("pyspark", "delta-spark"), {"sizes": found, "growth": exponents})


if __name__ == "__main__":
    main()
