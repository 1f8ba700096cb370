"""The optimisers by the name that a config gives them, and the groups of parameters that they treat apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainables.config import TrainConfig
from trainables.state import State

Groups = list[dict[str, Any]]


def groups(named: Iterable[tuple[str, nn.Parameter]], own_rates: Mapping[str, float]) -> Groups:
    """The trainable parameters by learning rate, and with weight decay or without it.

    Those whose names start with a key of `own_rates` learn at a rate of their own. The first group learns at the
    config's rate and decays as the config says. No group is empty but the first.
    """
    members: dict[tuple[str | None, bool], list[nn.Parameter]] = {(None, True): []}
    for name, parameter in named:
        if parameter.requires_grad:
            prefix = next((prefix for prefix in own_rates if name.startswith(prefix)), None)
            members.setdefault((prefix, decays(name, parameter)), []).append(parameter)
    return [
        {"params": parameters}
        | ({} if prefix is None else {"lr": own_rates[prefix]})
        | ({} if has_decay else {"weight_decay": 0.0})
        for (prefix, has_decay), parameters in members.items()
    ]


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter is under weight decay: matrices are; biases, T5's tables of them too, and norms are not."""
    return parameter.dim() > 1 and "bias" not in name


def make(groups: Groups, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, 2019), or Adafactor (Shazeer & Stern, 2018) at the config's own rate.

    With `scale_parameter` Adafactor's rate is relative to the RMS of each parameter, which is how a T5 learns from
    scratch: its embeddings start 10 to 20 times larger than its other weights.
    """
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    from transformers.optimization import Adafactor

    return Adafactor(
        groups,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        scale_parameter=config.scale_parameter,
        relative_step=False,
        warmup_init=False,
    )


def state(optimizer: torch.optim.Optimizer) -> State:
    """The state of an optimiser: values per parameter, and the parameter groups."""
    whole = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    facts: dict[str, dict[str, Any]] = {}
    for number, values in whole["state"].items():
        facts[str(number)] = {name: value for name, value in values.items() if not isinstance(value, Tensor)}
        tensors |= {f"{number}/{name}": value for name, value in values.items() if isinstance(value, Tensor)}
    return State(tensors, {"parameters": facts, "groups": whole["param_groups"]})


def restore(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Restores the state of an optimiser of the same parameters in the same order."""
    values = {int(number): dict(facts) for number, facts in state.facts["parameters"].items()}
    for key, tensor in state.tensors.items():
        number, _, name = key.partition("/")
        values[int(number)][name] = tensor
    optimizer.load_state_dict({"state": values, "param_groups": state.facts["groups"]})
