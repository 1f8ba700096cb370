"""One fixed length: a BERT student's step whose sums select by arithmetic.

What the project computes selects real positions by index, whose number the host has to know, so that no CUDA graph can
hold it. Here padding is multiplied away: the same sums in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.alone import NUM_EXAMPLES
from benchmarks.run import Run
from benchmarks.setting import PAD_ID, Setting, make
from benchmarks.shapes import shapes
from trainables.device import autocast, move
from trainables.families.states import forward
from trainables.student import Student
from trainables.tasks.batches import Batch, collate

LENGTH = 64
REPEATS = 20


class Fixed:
    """A BERT setting, a batch padded to the fixed length, and the teacher's outputs for it."""

    def __init__(self, run: Run) -> None:
        self.setting: Setting = make(shapes(dry=run.dry)["bert-base"], "bf16", num_examples=NUM_EXAMPLES)
        self.device, self.repeats = self.setting.device, 2 if run.dry else REPEATS
        fitting = [i for i, each in enumerate(self.setting.examples) if len(each["input_ids"]) <= LENGTH]
        self.indices = sorted(fitting, key=lambda i: -len(self.setting.examples[i]["input_ids"]))[:32]
        batch = move(collate([self.setting.examples[i] for i in self.indices], PAD_ID), self.device)
        room = LENGTH - batch["input_ids"].shape[1]
        self.batch: Batch = {k: F.pad(v, (0, room)) if v.dim() == 2 else v for k, v in batch.items()}
        (self.pairs,) = self.setting.objective.mappings.values()
        self.teach()

    def teach(self) -> None:
        """The teacher's pass over the batch."""
        with torch.no_grad(), autocast(self.device, "bf16"):
            outputs = forward(self.setting.family, self.setting.teacher, self.batch)
        self.logits, self.states = outputs.logits, outputs.states["encoder"]

    def loss(self, model: nn.Module) -> Tensor:
        """CE + KL + 3 hidden MSE."""
        with autocast(self.device, "bf16"):
            seen = forward(self.setting.family, model, self.batch)  # pyright: ignore[reportArgumentType]
        return self.terms(seen.logits, seen.states["encoder"], self.logits, self.states)

    def terms(self, logits: Tensor, states: Any, wanted_logits: Tensor, wanted: Any) -> Tensor:
        mask_BT1 = self.batch["attention_mask"].unsqueeze(-1)
        ce = F.cross_entropy(logits.float(), self.batch["labels"])
        ours, theirs = (F.log_softmax(each.float(), -1) for each in (logits, wanted_logits))
        kl = F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
        sums = [((states[i].float() - wanted[j].float()).square() * mask_BT1).sum() for i, j in self.pairs.items()]
        width = states[0].shape[-1]
        hidden = torch.stack(sums).mean() / (width * mask_BT1.sum())
        return ce + kl + 3 * hidden


class Step:
    """A student's whole step on the fixed batch: loss, gradient, clipping, AdamW."""

    def __init__(self, fixed: Fixed, student: Student, loss: Callable[[], Tensor] | None = None) -> None:
        self.parameters = [each for each in student.parameters() if each.requires_grad]
        on_gpu = fixed.device.type == "cuda"
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-5, fused=True, capturable=on_gpu)
        student.train()
        self.loss = loss or (lambda: fixed.loss(student.model))

    def __call__(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.loss().backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
