"""Frozen weights that are equal in several models are held once: embeddings, and the base weights of LoRA."""

from __future__ import annotations

import torch
from torch import nn

Key = tuple[torch.Size, torch.dtype, tuple[float, ...]]

_FIRST = 8
"""The number of leading elements that is compared first, which tells most weights apart."""


class SharedWeights:
    """The frozen parameters of the models so far."""

    def __init__(self) -> None:
        self._held: dict[Key, list[nn.Parameter]] = {}

    def share(self, model: nn.Module) -> None:
        """Replaces each frozen parameter of a model by an equal one of an earlier model.

        Equal parameters of the same model, such as fresh norms, stay separate, and tied parameters stay tied.
        """
        ours: dict[nn.Parameter, nn.Parameter] = {}
        used: set[nn.Parameter] = set()
        for parameter in model.parameters():
            if not parameter.requires_grad:
                alike = [held for held in self._held.get(_key(parameter), []) if held not in used]
                ours[parameter] = next((held for held in alike if _equal(held, parameter)), parameter)
                used.add(ours[parameter])
        for module in model.modules():
            for name, parameter in list(module.named_parameters(recurse=False, remove_duplicate=False)):
                if parameter in ours:
                    setattr(module, name, ours[parameter])
        for parameter, held in ours.items():
            if parameter is held:
                self._held.setdefault(_key(held), []).append(held)


def _equal(held: nn.Parameter, parameter: nn.Parameter) -> bool:
    """Whether two parameters are equal; the earlier model may be on the device already."""
    return torch.equal(held, parameter.to(held.device))


def _key(parameter: nn.Parameter) -> Key:
    return parameter.shape, parameter.dtype, tuple(parameter.flatten()[:_FIRST].tolist())
