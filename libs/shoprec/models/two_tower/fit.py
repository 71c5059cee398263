"""From gold tables to the towers' embeddings."""

from collections.abc import Callable

from shoprec.models.trained import Places, Trained, trained
from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.data import Inputs, plan

#: The training function, by the name that every rank finds it.
FUNCTION = "shoprec.models.two_tower.train:train_two_tower"


def fit(inputs: Inputs, config: TwoTowerConfig, places: Places, seed: int, progress: Callable[[str], None]) -> Trained:
    """Train the towers; see ``trained``."""
    index = inputs.user_index, inputs.item_index
    return trained(FUNCTION, plan(inputs, config, seed), index, config, places, seed, progress)
