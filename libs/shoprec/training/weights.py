"""Weights on disk: safetensors, and beside them a JSON file with their SHA-256 and what belongs to them. No pickles.

The JSON file is written last: weights without it were never finished, and weights that do not match it are refused.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from shoprec.errors import ShoprecError
from shoprec.training.storage import Folder


class DamagedWeights(ShoprecError):
    """Weights are incomplete, or are not the bytes that were written."""


def write_weights(folder: Folder, name: str, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> str:
    """Write ``<name>.safetensors`` and then ``<name>.json`` (``facts`` with file, bytes and sha256).

    :returns: the SHA-256 of the safetensors file, hex; equal tensors give equal bytes
    """
    content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
    digest = hashlib.sha256(content).hexdigest()
    folder.write(f"{name}.safetensors", content)
    described = {**facts, "file": f"{name}.safetensors", "bytes": len(content), "sha256": digest}
    folder.write(f"{name}.json", json.dumps(described, indent=1, sort_keys=True).encode())
    return digest


def read_weights(folder: Folder, name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the facts that :func:`write_weights` wrote.

    :raises DamagedWeights: a file is missing, or its bytes are not those that were written
    """
    try:
        facts = json.loads(folder.read(f"{name}.json"))
        content = folder.read(facts["file"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedWeights(f"weights {folder.uri}/{name} cannot be read: {error}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != facts.get("sha256"):
        raise DamagedWeights(
            f"weights {folder.uri}/{name}.safetensors are damaged: {len(content):,} bytes of SHA-256 {digest[:12]}…, "
            f"written were {facts.get('bytes', 0):,} of {str(facts.get('sha256'))[:12]}…"
        )
    try:
        return load(content), facts
    except SafetensorError as error:
        raise DamagedWeights(f"weights {folder.uri}/{name}.safetensors cannot be read: {error}") from error
