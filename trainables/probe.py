"""The probe: a fixed small part of the validation split on which angles are measured, with every teacher state.

The states of the teacher, and of a student while it is measured, lie in the host's memory, and those of one batch at a
time on the device: all of them are more than a GPU has beside a large teacher. All in fp32, the same batches for
teacher and student, the student in eval mode: differences of bf16 states, or of states from differently padded
batches, are noise where two states are close.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from trainables import device as devices
from trainables.angles import AngleStatistics
from trainables.families import Family
from trainables.families.base import Outputs
from trainables.families.states import forward
from trainables.losses import hidden_sum, weighted
from trainables.strategies import StateMapping
from trainables.student import Student
from trainables.targets import Targets
from trainables.tasks.batches import Batch, collate
from trainables.tasks.codec import Example

_HOST = torch.device("cpu")

PROBE_EXAMPLES = 64
"""The first examples of the validation split: enough tokens for angles, few enough to keep every state."""


@dataclass
class Measurement:
    """What the probe shows of one student at one time."""

    angles: dict[str, AngleStatistics]
    student_rms: dict[str, list[float]]
    hidden: dict[str, dict[int, float]]

    def metrics(self) -> dict[str, float]:
        """Two scalars a stack; a value that is not a number (nothing to measure) is left out."""
        values: dict[str, float] = {}
        for stack, angles in self.angles.items():
            values[f"angle/{stack}/cos_mean"] = angles.cos_mean()
            values[f"angle/{stack}/acute_share"] = angles.acute_share()
        return {name: value for name, value in values.items() if np.isfinite(value)}

    def arrays(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """Stack -> every pair and state, as `AngleStatistics.arrays` gives them."""
        return {stack: angles.arrays() for stack, angles in self.angles.items()}


class Probe:
    """A fixed small part of the validation split with every teacher state in fp32, computed once."""

    def __init__(
        self,
        family: Family,
        teacher: PreTrainedModel,
        examples: list[Example],
        pad_id: int,
        batch_size: int,
        device: torch.device,
    ) -> None:
        self.family = family
        targets = Targets(family, teacher)
        chosen = examples[:PROBE_EXAMPLES]
        starts = range(0, len(chosen), batch_size)
        self.batches = [devices.move(collate(chosen[i : i + batch_size], pad_id), device) for i in starts]
        self.teacher = [without_logits(targets(batch), _HOST) for batch in self.batches]

    def teacher_rms(self) -> dict[str, list[float]]:
        """Root mean square of each teacher state over the probe's real tokens."""
        return state_rms(self.teacher)

    def measure(self, student: Student, mappings: dict[str, StateMapping]) -> Measurement:
        """Angles, RMS and hidden losses of a student in eval mode, in fp32 whatever the training's dtype."""
        assert not student.training
        with torch.no_grad():
            outputs = [self._outputs(student, batch) for batch in self.batches]
        angles: dict[str, AngleStatistics] = {}
        hidden: dict[str, dict[int, float]] = {}
        for stack, mapping in mappings.items():
            sums = dict.fromkeys(mapping, 0.0)
            num_tokens = 0
            for seen, wanted in self._pairs(student, outputs):
                mask_BT = wanted.masks[stack]
                num_tokens += int(mask_BT.sum())
                for state, match in mapping.items():
                    projected_BTE = student.project(stack, state, seen.states[stack][state])
                    teacher_BTE = weighted(wanted.states[stack], match)
                    sums[state] += hidden_sum(projected_BTE, teacher_BTE, mask_BT, "none").item()
            hidden[stack] = {state: total / num_tokens for state, total in sums.items()}
            angles[stack] = self._angles(stack, student, outputs, mapping)
        return Measurement(angles, state_rms(outputs), hidden)

    def _outputs(self, student: Student, batch: Batch) -> Outputs:
        """The student's outputs of a batch, on the host."""
        there = {name: tensor.to(student.model.device) for name, tensor in batch.items()}
        return without_logits(forward(self.family, student.model, there), _HOST)

    def _pairs(self, student: Student, outputs: list[Outputs]) -> Iterator[tuple[Outputs, Outputs]]:
        """The student's and the teacher's outputs of each batch, on the student's device."""
        for pair in zip(outputs, self.teacher, strict=True):
            seen, wanted = (without_logits(each, student.model.device) for each in pair)
            yield seen, wanted

    def _angles(self, stack: str, student: Student, outputs: list[Outputs], mapping: StateMapping) -> AngleStatistics:
        """An untrained projection gives no direction: its state counts as not a number, and is left out."""
        num_student, num_teacher = len(outputs[0].states[stack]), len(self.teacher[0].states[stack])
        statistics = AngleStatistics(num_student, num_teacher)
        with torch.no_grad():
            for seen, wanted in self._pairs(student, outputs):
                projected = [
                    hidden if student.comparable(j, mapping) else torch.full_like(hidden, torch.nan)
                    for j, hidden in enumerate(
                        student.project(stack, j, state) for j, state in enumerate(seen.states[stack])
                    )
                ]
                statistics.update(projected, wanted.states[stack], wanted.masks[stack])
        return statistics


def without_logits(outputs: Outputs, device: torch.device) -> Outputs:
    """States and masks on a device; logits over a vocabulary, which no angle needs, take more than all states."""
    nothing = outputs.logits.new_empty(0)
    states = {stack: [state.to(device) for state in each] for stack, each in outputs.states.items()}
    masks = {stack: mask_BT.to(device) for stack, mask_BT in outputs.masks.items()}
    return Outputs(nothing, outputs.labels, states, masks, nothing)


def state_rms(outputs: list[Outputs]) -> dict[str, list[float]]:
    """Root mean square of every state over real tokens and width, per stack."""
    return {
        stack: [
            torch.cat([o.states[stack][i][o.masks[stack]] for o in outputs]).float().square().mean().sqrt().item()
            for i in range(len(states))
        ]
        for stack, states in outputs[0].states.items()
    }
