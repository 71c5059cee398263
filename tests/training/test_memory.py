"""What does not fit is refused before it is loaded."""

import pytest

from shoprec.errors import ConfigError
from shoprec.training import memory


def test_what_fits_passes_and_what_does_not_is_refused_with_its_parts():
    memory.check_fits({"tables": 600 << 20, "samples": 424 << 20}, 1 << 30, "set width")
    with pytest.raises(ConfigError, match=r"needs 3.0 GiB .*tables 2.0 GiB, samples 1.0 GiB.* use 1.0 GiB: set width"):
        memory.check_fits({"samples": 1 << 30, "tables": 2 << 30}, 1 << 30, "set width")
