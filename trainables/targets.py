"""What a cell's loss needs of the teacher for a batch: its states and its logits.

The teacher is run whole, on its own encoder's output, without gradients, and in eval mode unless told otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from trainables import device as devices
from trainables.families import Family, states
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

    def __call__(self, batch: dict[str, Tensor], *, final_norm: bool = False, dropout: bool = False) -> Outputs:
        """One pass (`final_norm` as in families.states.forward); with `dropout` the teacher is in train mode for it."""
        started = devices.clock(self.teacher.device)
        if dropout:
            self.teacher.train()
        with torch.no_grad():
            outputs = states.forward(self.family, self.teacher, batch, final_norm=final_norm)
        if dropout:
            self.teacher.eval()
        self.seconds += devices.clock(self.teacher.device) - started
        return outputs
