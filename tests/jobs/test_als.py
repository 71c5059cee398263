"""The job als: both tables of embeddings, the same on a repeat."""

from tests.jobs.embeddings import assert_written_and_repeated
from tests.jobs.planted_sources import planted_lake


def test_embeddings_of_all_that_has_samples_are_written_and_a_repeat_gives_the_same(spark, tmp_path):
    assert_written_and_repeated(planted_lake(spark, tmp_path), "als", rank=5, iterations=4, blocks=2)
