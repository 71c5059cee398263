"""In what precision matrices are multiplied."""

from contextlib import AbstractContextManager

import torch

from shoprec.training.config import TrainingConfig


def precision(config: TrainingConfig, device: torch.device) -> AbstractContextManager:
    """Matrix products in bfloat16 where the settings or the device ask for it; sums and norms stay float32."""
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    wanted = config.precision == "bfloat16" or (config.precision == "auto" and able)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)
