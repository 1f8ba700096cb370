"""The distances between matched hidden states, of which the hidden term of the loss is the mean over real tokens.

A new distance is one class with its parameters, and one entry in `DISTANCES`, or a plug-in. This module imports no
torch, because a plan reads distances too.

N real tokens, E teacher width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from torch import Tensor

_EPSILON = 1e-8


class Distance(BaseModel, ABC, frozen=True, extra="forbid"):
    """One distance with its parameters."""

    is_sum_over_tokens: ClassVar[bool] = False
    """Whether `total` is the sum of the distances of the tokens, so that a micro-batch may be computed in parts."""

    kind: str

    @abstractmethod
    def total(self, student_NE: Tensor, teacher_NE: Tensor) -> Tensor:
        """The distance summed over the N tokens of a micro-batch, both sides in fp32 after `losses.hidden_norm`.

        It is divided by the tokens of the whole step. A distance between whole batches returns N times its value.
        """


class MSE(Distance, frozen=True):
    """The squared difference, averaged over the width (paper, equation 3)."""

    is_sum_over_tokens: ClassVar[bool] = True
    kind: Literal["mse"] = "mse"

    def total(self, student_NE: Tensor, teacher_NE: Tensor) -> Tensor:
        return (student_NE - teacher_NE).square().mean(-1).sum()


class Cosine(Distance, frozen=True):
    """1 - cosine of the two states (DistilBERT, Sanh et al., 2019)."""

    is_sum_over_tokens: ClassVar[bool] = True
    kind: Literal["cosine"] = "cosine"

    def total(self, student_NE: Tensor, teacher_NE: Tensor) -> Tensor:
        lengths_N = (student_NE.norm(dim=-1) * teacher_NE.norm(dim=-1)).clamp_min(_EPSILON)
        return (1 - (student_NE * teacher_NE).sum(-1) / lengths_N).sum()


class CKA(Distance, frozen=True):
    """1 - linear CKA of the tokens of a micro-batch (Kornblith et al., 2019); 0 for fewer than two tokens."""

    kind: Literal["cka"] = "cka"

    def total(self, student_NE: Tensor, teacher_NE: Tensor) -> Tensor:
        if len(student_NE) < 2:
            return 0 * student_NE.sum()
        student_NE = student_NE - student_NE.mean(0)
        teacher_NE = teacher_NE - teacher_NE.mean(0)
        both = (student_NE.T @ teacher_NE).square().sum()
        alone = (student_NE.T @ student_NE).norm() * (teacher_NE.T @ teacher_NE).norm()
        return len(student_NE) * (1 - both / alone.clamp_min(_EPSILON))


DISTANCES: dict[str, type[Distance]] = {"mse": MSE, "cosine": Cosine, "cka": CKA}
