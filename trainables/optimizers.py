"""The optimisers by the name that a config gives them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from trainables.config import TrainConfig


def make(parameters: Sequence[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, 2019), or Adafactor (Shazeer & Stern, 2018) at the config's own rate.

    With `scale_parameter` Adafactor's rate is relative to the RMS of each parameter, which is how a T5 learns from
    scratch: its embeddings start 10 to 20 times larger than its other weights.
    """
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    from transformers.optimization import Adafactor

    return Adafactor(
        parameters,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        scale_parameter=config.scale_parameter,
        relative_step=False,
        warmup_init=False,
    )
