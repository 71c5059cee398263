"""The whole chain, raw to export, on simulated shops of several sizes: what each job takes, and how that grows.

Size 1 is 1.25 million events, a million of them known at the as-of date, of 5,000 users on 2,500 items. One job runs at
a time. Nobody has published such figures to stand beside.

    make bench NAME=chain [ARGS="--sizes 1 3 10"]
"""

from tests.benchmarks._jobs import compare

if __name__ == "__main__":
    compare("chain", __doc__, (1.0, 3.0, 10.0))
