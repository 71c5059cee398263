"""Settings that do not fit together are refused, in words that name them."""

import pytest
from pydantic import ValidationError

from shoprec.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ranks": 3}, r"lanes \(16\) is no multiple of ranks \(3\)"),
        ({"batch": 1000}, r"batch \(1000\) is no multiple of lanes \(16\)"),
        ({"launcher": "in_process"}, "set ranks=1"),
        ({"launcher": "mpi"}, "in_process"),
        ({"rank": 2}, "Extra inputs"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ValidationError, match=message):
        TrainingConfig(**settings)


def test_settings_of_the_place_are_settings():
    assert set(TrainingConfig.model_fields) > TrainingConfig.PLACE
