"""What a rank loads."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("model", ["two_tower", "sequence"])
def test_a_rank_loads_no_spark(model):
    told = f"import sys, shoprec.models.{model}.train; print('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "False\n"
