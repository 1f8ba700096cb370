"""The optimisers by the name that a config gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from trainables.config import TrainConfig

Groups = list[dict[str, Any]]


def groups(named: Iterable[tuple[str, nn.Parameter]], own_rates: Mapping[str, float]) -> Groups:
    """The trainable parameters; those whose names start with a key of `own_rates` learn at a rate of their own.

    The first group learns at the config's rate. No group is empty but the first.
    """
    found: dict[str | None, list[nn.Parameter]] = {None: []}
    for name, parameter in named:
        if parameter.requires_grad:
            prefix = next((prefix for prefix in own_rates if name.startswith(prefix)), None)
            found.setdefault(prefix, []).append(parameter)
    return [
        {"params": parameters} | ({} if prefix is None else {"lr": own_rates[prefix]})
        for prefix, parameters in found.items()
    ]


def make(parameters: Sequence[nn.Parameter] | Groups, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, 2019), or Adafactor (Shazeer & Stern, 2018) at the config's own rate.

    With `scale_parameter` Adafactor's rate is relative to the RMS of each parameter, which is how a T5 learns from
    scratch: its embeddings start 10 to 20 times larger than its other weights.
    """
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    from transformers.optimization import Adafactor

    return Adafactor(
        parameters,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        scale_parameter=config.scale_parameter,
        relative_step=False,
        warmup_init=False,
    )
