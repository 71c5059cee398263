"""The job spectral: both tables of embeddings, the same on a repeat."""

from tests.jobs.embeddings import assert_written_and_repeated
from tests.jobs.planted_sources import planted_lake


def test_embeddings_of_all_that_has_samples_are_written_and_a_repeat_gives_the_same(spark, tmp_path):
    assert_written_and_repeated(planted_lake(spark, tmp_path), "spectral", rank=3, oversampling=9, passes=2, blocks=2)
