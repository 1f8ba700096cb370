"""The objectives of training: that of a teacher, and that of a student, which is CE + KL T^2 + hidden MSE (paper,
equations 1 to 4), clean or with the public code's quirks.

In a regression the squared errors to label and teacher stand for CE and KL.

B batch, T tokens, E teacher width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from trainables import losses
from trainables.config import LossConfig, weight_at
from trainables.families import Family, states
from trainables.families.base import Outputs
from trainables.heads import Head
from trainables.losses import IGNORED
from trainables.metrics import Metrics
from trainables.official import CLEAN, Quirks
from trainables.steps import Schedule
from trainables.strategies import StateMapping
from trainables.student import Student
from trainables.tasks.batches import Batch


class Objective(Protocol):
    """The loss of one model."""

    @property
    def model(self) -> PreTrainedModel: ...

    def totals(self, batch: Batch) -> Metrics:
        """The positions that each term of a micro-batch is summed over; the same for all models of a cohort."""
        ...

    def begin_step(self, step: int) -> None:
        """Sets what depends on the optimiser step, counted from 1."""
        ...

    def forward(self, batch: Batch) -> Outputs:
        """One forward pass of the model."""
        ...

    def terms(self, batch: Batch, seen: Outputs, wanted: Outputs | None, totals: Metrics) -> dict[str, Tensor]:
        """`loss` and its parts for one micro-batch, each divided by the totals of the accumulated batch.

        `seen` are the outputs of the model, `wanted` those of its teacher; None: it has no teacher.
        """
        ...


@dataclass(frozen=True)
class FromLabels:
    """The objective of a teacher: cross entropy, or the squared error, over the labels of the accumulated batch."""

    family: Family
    head: Head
    model: PreTrainedModel

    def totals(self, batch: Batch) -> Metrics:
        return {"labels": float(losses.num_labels(states.aligned_labels(self.family, batch)))}

    def begin_step(self, step: int) -> None:
        """Nothing depends on the step."""

    def forward(self, batch: Batch) -> Outputs:
        return states.forward(self.family, self.model, batch, kept=dict.fromkeys(self.family.stacks, ()))

    def terms(self, batch: Batch, seen: Outputs, wanted: Outputs | None, totals: Metrics) -> dict[str, Tensor]:
        ce = losses.LOSSES[self.head.loss].to_labels(seen.logits, seen.labels) / max(totals["labels"], 1.0)
        return {"loss": ce, "loss_ce": ce.detach()}


@dataclass
class Distillation:
    """The objective of a student; clean, every term is over real tokens or labels of the whole accumulated batch."""

    family: Family
    head: Head
    student: Student
    mappings: dict[str, StateMapping]
    """The mappings of the current step."""
    config: LossConfig
    quirks: Quirks = CLEAN
    schedule: Schedule | None = None
    """The steps over which weights and mappings change; None: nothing changes."""
    by_epoch: Sequence[dict[str, StateMapping]] = ()
    """The mappings of each epoch, if there is more than one."""
    done: float = 0.0
    """The share of the steps before the current one."""

    @property
    def model(self) -> PreTrainedModel:
        return self.student.model

    def totals(self, batch: Batch) -> Metrics:
        """How many positions of a micro-batch each term is over (`ce`, `kl`, each stack), and `micro_batches`: 1."""
        return {name: float(mask.sum()) for name, mask in self.counted(batch).items()} | {"micro_batches": 1.0}

    def begin_step(self, step: int) -> None:
        """Takes the mappings of the step's epoch, and its share of the schedule of weights."""
        if self.schedule:
            self.done = (step - 1) / self.schedule.num_steps
            if len(self.by_epoch) > 1:
                self.mappings = self.by_epoch[(step - 1) // self.schedule.steps_per_epoch]

    def forward(self, batch: Batch) -> Outputs:
        """One forward pass of the student."""
        return states.forward(self.family, self.student.model, batch, final_norm=self.quirks.last_state_normed)

    def terms(self, batch: Batch, seen: Outputs, wanted: Outputs | None, totals: Metrics) -> dict[str, Tensor]:
        """`loss`, `loss_ce`, `loss_kl` (T^2 included) and `loss_hidden`, unweighted but for `loss`.

        A term over nothing, such as one over words that were all cut off, is 0.
        """
        assert wanted is not None
        counted = self.counted(batch)
        divisors = {name: self._divisor(name, mask, totals) for name, mask in counted.items()}
        ce = losses.LOSSES[self.head.loss].to_labels(seen.logits, seen.labels) / divisors["ce"]
        kl = self._kl_sum(seen, wanted, counted["kl"]) / divisors["kl"]
        pairs = [
            self._hidden_sum(
                self.student.project(stack, state, seen.states[stack][state]),
                losses.weighted(wanted.states[stack], match),
                counted[stack],
                wanted.masks[stack],
            )
            / divisors[stack]
            for stack, mapping in self.mappings.items()
            for state, match in mapping.items()
        ]
        hidden = self._over_pairs(torch.stack(pairs)) if pairs else torch.zeros_like(ce)
        weights = [weight_at(weight, self.done) for weight in (self.config.ce, self.config.kl, self.config.hidden)]
        loss = weights[0] * ce + weights[1] * kl + weights[2] * hidden
        parts = {"loss_ce": ce.detach(), "loss_kl": kl.detach(), "loss_hidden": hidden.detach()}
        if self.config.own:
            own = self.config.own.total(seen, wanted, counted) / divisors["ce"]
            loss = loss + self.config.own.weight * own
            parts["loss_own"] = own.detach()
        return {"loss": loss, **parts}

    def counted(self, batch: Batch) -> dict[str, Tensor]:
        """The positions that each term is over: `ce`, `kl`, and by its name each stack's hidden terms; of bool."""
        labels, masks = states.aligned_labels(self.family, batch), states.token_masks(self.family, batch)
        learnt = losses.learnt(labels)
        counted = {"ce": learnt, "kl": learnt, **masks}
        if self.quirks.decoder_mask_by_input:
            config = self.student.model.config
            by_input_BT = losses.decoder_input_mask(labels, config.decoder_start_token_id, config.pad_token_id)
            counted |= {"kl": by_input_BT, "decoder": by_input_BT}
        if self.quirks.hidden_over_padding:
            counted |= {stack: torch.ones_like(mask_BT) for stack, mask_BT in masks.items()}
        if self.quirks.kl_over_all_positions:
            counted["kl"] = torch.ones_like(masks["decoder"])
        return counted

    def _divisor(self, name: str, mask: Tensor, totals: Metrics) -> Tensor | float:
        """What a sum over a micro-batch is divided by, so that the micro-batches of a step add up to its term."""
        is_ce = name == "ce"
        if not (self.quirks.ce_by_micro_batch if is_ce else self.quirks.kl_and_hidden_by_micro_batch):
            return max(totals[name], 1.0)
        if self.quirks.micro_batches_add_up and not is_ce and self.student.training:
            return mask.sum()
        return mask.sum() * totals["micro_batches"]

    def _kl_sum(self, seen: Outputs, wanted: Outputs, mask: Tensor) -> Tensor:
        """KL summed over the positions of the mask."""
        positions = torch.where(mask, 0, IGNORED)
        if not self.quirks.kl_over_all_positions:
            to_teacher = losses.LOSSES[self.head.loss].to_teacher
            return to_teacher(seen.logits, wanted.logits, positions, self.config.temperature)
        total = losses.kl_sum(seen.all_logits, wanted.all_logits, positions, self.config.temperature)
        return total * wanted.masks["decoder"].float().mean()

    def _hidden_sum(self, student_BTE: Tensor, teacher_BTE: Tensor, mask_BT: Tensor, real_BT: Tensor) -> Tensor:
        """The distance of one matched pair, summed over the positions of the mask."""
        norm = self.config.hidden_norm
        if norm == "layernorm" and self.quirks.layernorm_of_whole_state:
            student_BTE, teacher_BTE, norm = *map(losses.whole_layernorm, (student_BTE, teacher_BTE)), "none"
        if norm == "l2" and self.quirks.l2_without_epsilon:
            student_BTE, teacher_BTE, norm = *map(losses.bare_l2, (student_BTE, teacher_BTE)), "none"
        total = losses.hidden_sum(student_BTE, teacher_BTE, mask_BT, norm, self.config.distance)
        if self.quirks.hidden_summed_over_width:
            total = total * teacher_BTE.shape[-1]
        if self.quirks.hidden_divided_by_batch:
            total = total / len(teacher_BTE)
        if self.quirks.hidden_over_padding:
            total = total * real_BT.float().mean()
        return total

    def _over_pairs(self, pairs: Tensor) -> Tensor:
        return pairs.sum() if self.quirks.hidden_summed_over_pairs else pairs.mean()
