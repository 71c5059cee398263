"""Benchmarks, each beside its peers: see README.md."""

import os

# Before the first import of numpy. Every contestant works in as many threads or tasks as there are cores: a linear
# algebra with threads of its own would slow all of them down.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
