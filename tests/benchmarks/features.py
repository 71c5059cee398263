"""The jobs from raw logs to features on simulated shops of three sizes: rows a second of each.

Rows are the events known at a job's date, whatever it makes of them. Size 1 is 1.25 million events, a million of them
known at the as-of date, of 5,000 users on 2,500 items; one job runs at a time. The largest size is run once more, with
one user who has a fifth of all events and one item that has half of them.

    make bench NAME=features [ARGS="--sizes 0.3 1 3"]
"""

from tests.benchmarks._jobs import compare

JOBS = ("user_profiles", "item_features", "item_neighbours", "samples", "text_embeddings")

if __name__ == "__main__":
    compare("features", __doc__, (0.3, 1.0, 3.0), JOBS, skew=True)
