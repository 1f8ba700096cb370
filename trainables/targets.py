"""The outputs of the teacher that the losses of its students need: its logits, and the states that a student maps.

The whole teacher is run, on its own encoder's output and without gradients, in eval mode unless it has dropout.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from trainables import device as devices
from trainables.draws import Draws
from trainables.families import Family, states
from trainables.families.base import Outputs
from trainables.tasks.batches import Batch

KEPT_BYTES = 2**29
"""The host memory, in bytes, for a teacher's outputs on a validation split."""

_HOST = torch.device("cpu")


@dataclass
class Targets:
    """Computes the teacher's outputs for a batch."""

    family: Family
    teacher: PreTrainedModel
    mapped: Mapping[str, Collection[int]] | None = None
    """Stack -> the states to keep; the others are empty tensors. None: all states are kept."""
    final_norm: bool = False
    """Whether the last state of a stack is taken after its final norm."""
    draws: Draws | None = None
    """The random stream of the teacher's dropout in training steps; None: the teacher has no dropout."""

    def __post_init__(self) -> None:
        self.teacher.eval().requires_grad_(False)
        self.watch = devices.Stopwatch(self.teacher.device)

    def __call__(self, batch: Batch, *, training: bool = False) -> Outputs:
        """One forward pass over a batch on the teacher's device; `training`: for a training step of its students."""
        if not training or self.draws is None:
            return self._run(batch)
        self.teacher.train()
        with self.draws.drawn():
            outputs = self._run(batch)
        self.teacher.eval()
        return outputs

    def _run(self, batch: Batch) -> Outputs:
        with self.watch.running(), torch.no_grad():
            return states.forward(self.family, self.teacher, batch, final_norm=self.final_norm, kept=self.mapped)


class KeptTargets:
    """The teacher's outputs for batches that are used repeatedly; as many as fit in memory are computed only once."""

    def __init__(self, targets: Targets, limit_bytes: int = KEPT_BYTES) -> None:
        self._targets, self._room = targets, limit_bytes
        self._kept: dict[int, Outputs] = {}

    def __call__(self, index: int, batch: Batch) -> Outputs:
        """The outputs for batch number `index`, which is on the teacher's device and always the same for a number."""
        if index in self._kept:
            return moved(self._kept[index], self._targets.teacher.device)
        outputs = self._targets(batch)
        if (size := num_bytes(outputs)) <= self._room:
            self._room -= size
            self._kept[index] = moved(outputs, _HOST)
        return outputs


class Copies:
    """A batch and the teacher's outputs for it, copied once to each device that asks for them."""

    def __init__(self, batch: Batch, outputs: Outputs | None, device: torch.device) -> None:
        """Both are on `device`."""
        self._source = batch, outputs
        self._copies: dict[torch.device, tuple[Batch, Outputs | None]] = {device: self._source}

    def on(self, device: torch.device) -> tuple[Batch, Outputs | None]:
        """The batch and the outputs on a device."""
        if device not in self._copies:
            batch, outputs = self._source
            there = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
            self._copies[device] = there, outputs and moved(outputs, device)
        return self._copies[device]


def moved(outputs: Outputs, device: torch.device) -> Outputs:
    """The outputs on a device; `logits` is a view of `all_logits`, as before."""
    all_logits = outputs.all_logits.to(device)
    return replace(
        outputs,
        logits=all_logits[:, : outputs.logits.shape[1]],
        labels=outputs.labels.to(device),
        states={stack: [state.to(device) for state in each] for stack, each in outputs.states.items()},
        masks={stack: mask_BT.to(device) for stack, mask_BT in outputs.masks.items()},
        all_logits=all_logits,
    )


def num_bytes(outputs: Outputs) -> int:
    """The size of the outputs."""
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(outputs))


def _tensors(outputs: Outputs) -> Iterator[Tensor]:
    yield from (outputs.all_logits, outputs.labels, *outputs.masks.values())
    for each in outputs.states.values():
        yield from each
