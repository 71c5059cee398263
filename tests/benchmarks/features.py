"""The jobs from raw logs to features on simulated shops of three sizes: rows a second of each.

Rows are the events known at a job's date, whatever it makes of them. Size 1 is a million events of 20,000 users on
2,000 items; one job runs at a time.

    make bench NAME=features [ARGS="--sizes 0.3 1 3"]
"""

from tests.benchmarks._jobs import compare

JOBS = ("user_profiles", "item_features", "item_neighbours", "samples", "text_embeddings")

if __name__ == "__main__":
    compare("features", __doc__, (0.3, 1.0, 3.0), JOBS)
