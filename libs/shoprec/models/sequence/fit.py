"""From tables to the sequence model's embeddings."""

from collections.abc import Callable

from shoprec.models.sequence.config import SequenceConfig
from shoprec.models.sequence.data import Inputs, plan
from shoprec.models.trained import Places, Trained, trained

#: The training function, by the name that every rank finds it.
FUNCTION = "shoprec.models.sequence.train:train_sequence"


def fit(inputs: Inputs, config: SequenceConfig, places: Places, seed: int, progress: Callable[[str], None]) -> Trained:
    """Train the reader; see ``trained``."""
    index = inputs.user_index, inputs.item_index
    return trained(FUNCTION, plan(inputs, config, seed), index, config, places, seed, progress)
