"""The terms of the loss as sums: cross entropy, KL divergence, hidden-state MSE (paper, section 3), and the squared
errors that replace the first two in a regression.

Callers divide the sums by the labels or tokens of the whole accumulated batch, so that micro-batches change the memory
and not the gradient. Real positions are selected before anything is computed, so that padding, even NaN, affects
neither a number nor a gradient. All reductions are in fp32.

B batch, T tokens, E teacher width, V vocabulary or classes, N real positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.distances import MSE, Distance
from trainables.heads import LossName
from trainables.strategies import Match
from trainables.vocabularies import shared

IGNORED = -100
"""The label of a position that the loss leaves out."""

HiddenNorm = Literal["none", "l2", "layernorm"]


def learnt(labels: Tensor) -> Tensor:
    """Mask of the labels that count in the loss: all numbers, and the classes or tokens that are not ignored."""
    return torch.ones_like(labels, dtype=torch.bool) if labels.is_floating_point() else labels != IGNORED


def num_labels(labels: Tensor) -> int:
    """The number of labels in the loss, by which cross entropy and KL, or their replacements, are divided."""
    return int(learnt(labels).sum())


def cross_entropy_sum(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy in nats, summed over the labels; logits [B, V] with labels [B], or [B, T, V] with [B, T]."""
    assert logits.shape[:-1] == labels.shape
    real = labels != IGNORED
    return F.cross_entropy(logits[real].float(), labels[real], reduction="sum")


def kl_sum(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) at temperature T, summed over the positions that have a label.

    T^2 keeps the gradient's scale relative to cross entropy at every T (Hinton et al., 2015). Shapes are as in
    `cross_entropy_sum`; where vocabularies are padded to different sizes, the shared part counts.
    """
    if labels.dim() == 2:
        student_logits, teacher_logits = shared(student_logits, teacher_logits)
    assert student_logits.shape == teacher_logits.shape
    assert student_logits.shape[:-1] == labels.shape
    real = labels != IGNORED
    student_NV = F.log_softmax(student_logits[real].float() / temperature, dim=-1)
    teacher_NV = F.log_softmax(teacher_logits[real].float() / temperature, dim=-1)
    return temperature**2 * F.kl_div(student_NV, teacher_NV, reduction="sum", log_target=True)


def squared_error_sum(logits_B1: Tensor, labels_B: Tensor) -> Tensor:
    """The squared errors of numbers, summed over the examples, which replace cross entropy in a regression."""
    assert logits_B1.shape == (*labels_B.shape, 1)
    return (logits_B1[:, 0].float() - labels_B).square().sum()


def squared_distance_sum(student_B1: Tensor, teacher_B1: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """The squared differences of a student's and a teacher's numbers, summed over the labelled examples.

    It replaces KL in a regression. It does not depend on the temperature: dividing the numbers by T and multiplying
    their squared error by T^2 cancel.
    """
    assert student_B1.shape == teacher_B1.shape == (*labels.shape, 1)
    real = labels != IGNORED
    return (student_B1[real].float() - teacher_B1[real].float()).square().sum()


class Loss(NamedTuple):
    """The two sums that a model with a head is trained on."""

    to_labels: Callable[[Tensor, Tensor], Tensor]
    """Takes logits and labels."""
    to_teacher: Callable[[Tensor, Tensor, Tensor, float], Tensor]
    """Takes the student's logits, the teacher's, labels (-100 leaves a position out), and the temperature."""


LOSSES: dict[LossName, Loss] = {
    "cross_entropy": Loss(cross_entropy_sum, kl_sum),
    "squared_error": Loss(squared_error_sum, squared_distance_sum),
}


_MSE = MSE()


def hidden_sum(
    student_BTE: Tensor, teacher_BTE: Tensor, mask_BT: Tensor, norm: HiddenNorm, distance: Distance = _MSE
) -> Tensor:
    """The distance, by default the mean over the width of the squared difference, summed over real tokens.

    `norm` is first applied to each token of both sides: `l2` divides by the length, and `layernorm` normalises to mean
    0 and variance 1 (epsilon 1e-5, no weights).
    """
    assert student_BTE.shape == teacher_BTE.shape
    assert student_BTE.shape[:-1] == mask_BT.shape
    return distance.total(_normed(student_BTE[mask_BT], norm), _normed(teacher_BTE[mask_BT], norm))


def weighted(states: Sequence[Tensor], match: Match) -> Tensor:
    """The teacher state of a match, or the weighted sum of several, in fp32."""
    if not isinstance(match, dict):
        return states[match]
    parts = [weight * states[state].float() for state, weight in match.items()]
    return torch.stack(parts).sum(0)


def _normed(hidden_NE: Tensor, norm: HiddenNorm) -> Tensor:
    hidden_NE = hidden_NE.float()
    match norm:
        case "none":
            return hidden_NE
        case "l2":
            return F.normalize(hidden_NE, dim=-1)
        case "layernorm":
            return F.layer_norm(hidden_NE, hidden_NE.shape[-1:])


# Used only by the semantics of the paper's public code (trainables/official.py).


def decoder_input_mask(labels_BT: Tensor, start_id: int, pad_id: int) -> Tensor:
    """Mask of a decoder's input that is not padding, bool [B, T]; the input is the start token, then the labels."""
    start_B1 = labels_BT.new_full((len(labels_BT), 1), start_id)
    inputs_BT = torch.cat([start_B1, labels_BT[:, :-1]], dim=1)
    return (inputs_BT != IGNORED) & (inputs_BT != pad_id)


def whole_layernorm(hidden_BTE: Tensor) -> Tensor:
    """Normalises the whole state, including padding, to mean 0 and variance 1 (epsilon 1e-5)."""
    return F.layer_norm(hidden_BTE.float(), hidden_BTE.shape)


def bare_l2(hidden_BTE: Tensor) -> Tensor:
    """Divides each token by its length; a token of zeros gives NaN."""
    hidden_BTE = hidden_BTE.float()
    return hidden_BTE / hidden_BTE.norm(dim=-1, keepdim=True)
