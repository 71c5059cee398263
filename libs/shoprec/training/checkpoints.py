"""One checkpoint an epoch, whole or not at all; the last whole one is where a training goes on."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from shoprec.training.storage import Folder
from shoprec.training.weights import DamagedWeights, read_weights, write_weights

_NAME = re.compile(r"epoch-(\d{5})\.(?:json|safetensors)")


class Checkpoints:
    """The checkpoints of one training, in a folder of their own. Rank 0 alone writes and reads them.

    :param keep: latest epochs that are kept, beside the best one
    """

    def __init__(self, folder: Folder, keep: int) -> None:
        self.folder = folder
        self._keep = keep

    def write(self, epoch: int, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any], best: int) -> None:
        """Write the checkpoint of ``epoch`` and delete those that are neither recent nor that of epoch ``best``."""
        write_weights(self.folder, _name(epoch), tensors, facts)
        for old in self._epochs():
            if old <= epoch - self._keep and old != best:
                self.folder.delete(f"{_name(old)}.json")
                self.folder.delete(f"{_name(old)}.safetensors")

    def read(self, epoch: int) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """The checkpoint of ``epoch``. Raises DamagedWeights where it is not whole."""
        return read_weights(self.folder, _name(epoch))

    def latest(self, say: Callable[[str], None]) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """The last whole checkpoint whose best one (its fact ``best``) is whole too; None where there is none.

        ``say`` is told of each that is passed over.
        """
        for epoch in reversed(self._epochs()):
            try:
                tensors, facts = self.read(epoch)
                if facts["best"] != epoch:
                    self.read(facts["best"])
                return tensors, facts
            except DamagedWeights as error:
                say(f"{error}: going back to the checkpoint before it")
        return None

    def _epochs(self) -> list[int]:
        found = (_NAME.fullmatch(name) for name in self.folder.files())
        return sorted({int(match.group(1)) for match in found if match})


def _name(epoch: int) -> str:
    return f"epoch-{epoch:05d}"
