"""A distance and a loss of one's own: the smooth L1 distance, and the relations between classes of DIST.

A distance is one class, which is given the states of all real tokens of a micro-batch, and returns its sum over them.
A loss is one class, which is given the outputs of both models, and returns its sum over the labels. The sweep divides
both by the tokens or labels of the whole step. Torch is imported inside of the methods, because a plan loads this file.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainables.distances import Distance
from trainables.own_losses import ModelOutputs, OwnLoss
from trainables.plugins import register

if TYPE_CHECKING:
    from torch import Tensor


@register
class SmoothL1(Distance, frozen=True):
    """The Huber loss with its slope scaled to 1 (Girshick, 2015), averaged over the width."""

    kind: Literal["smooth_l1"] = "smooth_l1"
    beta: float = Field(default=1.0, gt=0, description="The difference from which on the distance is linear.")

    def total(self, student_NE: "Tensor", teacher_NE: "Tensor") -> "Tensor":
        from torch.nn.functional import smooth_l1_loss

        return smooth_l1_loss(student_NE, teacher_NE, reduction="none", beta=self.beta).mean(-1).sum()


@register
class Dist(OwnLoss, frozen=True):
    """1 - Pearson correlation of the probabilities of both models for each label (DIST, Huang et al., 2022)."""

    kind: Literal["dist"] = "dist"

    def total(self, student: ModelOutputs, teacher: ModelOutputs, counted: Mapping[str, "Tensor"]) -> "Tensor":
        from torch import cosine_similarity

        both = [model.logits[counted["ce"]].float().softmax(-1) for model in (student, teacher)]
        student_NV, teacher_NV = (each_NV - each_NV.mean(-1, keepdim=True) for each_NV in both)
        return (1 - cosine_similarity(student_NV, teacher_NV, dim=-1)).sum()
