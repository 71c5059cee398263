"""Settings of features refuse what makes no sense."""

import pytest
from pydantic import ValidationError

from shoprec.features.config import ItemIndexSettings, ProfileSettings, TextSettings


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (ProfileSettings, {"lapsing_after": 4, "lapsed_after": 4}),
        (ProfileSettings, {"half_life_days": 0}),
        (ItemIndexSettings, {"negative_power": 1.5}),
        (TextSettings, {"encoder": "guess"}),
        (TextSettings, {"width": 3}),
    ],
)
def test_refused(settings, values):
    with pytest.raises(ValidationError):
        settings(**values)
