"""What a cell's loss needs of the teacher for a batch: its states and its logits.

The teacher is run whole, on its own encoder's output, in eval mode and without gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from trainables import device as devices
from trainables.families import Family
from trainables.families.base import Outputs


@dataclass
class LiveTargets:
    """The teacher beside the student: its outputs computed anew for every batch."""

    family: Family
    teacher: PreTrainedModel
    seconds: float = field(default=0.0, init=False)
    """Time spent in the teacher so far."""

    def __post_init__(self) -> None:
        self.teacher.eval().requires_grad_(False)

    def __call__(self, batch: dict[str, Tensor]) -> Outputs:
        started = devices.clock(self.teacher.device)
        with torch.no_grad():
            outputs = self.family.forward(self.teacher, batch)
        self.seconds += devices.clock(self.teacher.device) - started
        return outputs
