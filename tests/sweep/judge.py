"""The sweep's numbers by their definitions, from logits and states alone, in NumPy and fp64.

T tokens, E width, L student states, M teacher states, V vocabulary or classes, N positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import sacrebleu

from tests.sweep.plain import Array, Seen

VANISHED = 1e-4
CLOSE = 1e-5
"""How far two computations of one cosine may be apart: on the other side of a bound is then no error."""

Mappings = dict[str, dict[int, int]]
"""Stack -> student state -> teacher state."""


def log_softmax(logits_V: Array) -> Array:
    shifted_V = logits_V - logits_V.max()
    return shifted_V - np.log(np.exp(shifted_V).sum())


def cross_entropy(student: Sequence[Seen]) -> float:
    """The mean over all labels."""
    terms = [
        -log_softmax(logits_V)[label]
        for seen in student
        for logits_V, label in zip(seen.logits_NV, seen.labels_N, strict=True)
    ]
    return sum(terms) / len(terms)


def kl(student: Sequence[Seen], teacher: Sequence[Seen], temperature: float) -> float:
    """T^2 KL(teacher || student), the mean over all labels."""
    terms: list[float] = []
    for mine, theirs in zip(student, teacher, strict=True):
        for student_V, teacher_V in zip(mine.logits_NV, theirs.logits_NV, strict=True):
            log_q, log_p = log_softmax(student_V / temperature), log_softmax(teacher_V / temperature)
            terms.append(float(np.sum(np.exp(log_p) * (log_p - log_q))))
    return temperature**2 * sum(terms) / len(terms)


def pair_mse(student: Sequence[Seen], teacher: Sequence[Seen], stack: str, state: int, teacher_state: int) -> float:
    """The mean squared difference of one pair of states over all tokens and the width."""
    terms = [
        float(np.mean((student_E - teacher_E) ** 2))
        for mine, theirs in zip(student, teacher, strict=True)
        for student_E, teacher_E in zip(mine.states[stack][state], theirs.states[stack][teacher_state], strict=True)
    ]
    return sum(terms) / len(terms)


def hidden(student: Sequence[Seen], teacher: Sequence[Seen], mappings: Mappings) -> float:
    """The mean over all pairs of all stacks."""
    terms = [
        pair_mse(student, teacher, stack, state, teacher_state)
        for stack, mapping in mappings.items()
        for state, teacher_state in mapping.items()
    ]
    return sum(terms) / len(terms)


@dataclass(frozen=True)
class Angles:
    """(student state, teacher states i < k) -> the cosines of all tokens; what was left out, [L, M]."""

    cosines: dict[tuple[int, int, int], Array]
    left_out_LM: Array

    def pooled(self) -> Array:
        return np.concatenate(list(self.cosines.values()))


def angles(student: Sequence[Seen], teacher: Sequence[Seen], stack: str) -> Angles:
    """cos(T_i - S, T_k - S) wherever neither difference vanishes beside its teacher state."""
    student_LTE, teacher_MTE = tokens(student, stack), tokens(teacher, stack)
    cosines: dict[tuple[int, int, int], Array] = {}
    left_out_LM = np.zeros((len(student_LTE), len(teacher_MTE)))
    for j, student_TE in enumerate(student_LTE):
        differences = [teacher_TE - student_TE for teacher_TE in teacher_MTE]
        lengths = [np.sqrt((difference**2).sum(-1)) for difference in differences]
        kept = [
            length > VANISHED * np.sqrt((teacher_TE**2).sum(-1))
            for length, teacher_TE in zip(lengths, teacher_MTE, strict=True)
        ]
        left_out_LM[j] = [np.sum(~each) for each in kept]
        for i, k in combinations(range(len(teacher_MTE)), 2):
            both = kept[i] & kept[k]
            products = (differences[i] * differences[k]).sum(-1)[both]
            cosines[j, i, k] = products / (lengths[i] * lengths[k])[both]
    return Angles(cosines, left_out_LM)


def tokens(seen: Sequence[Seen], stack: str) -> list[Array]:
    """The states of a stack, each with the tokens of all examples one after another."""
    return [np.concatenate(states) for states in zip(*(each.states[stack] for each in seen), strict=True)]


def num_above(cosines: Array, bound: float) -> tuple[int, int]:
    """How many cosines are above a bound, at least and at most."""
    return int(np.sum(cosines > bound + CLOSE)), int(np.sum(cosines > bound - CLOSE))


def accuracy(seen: Sequence[Seen]) -> float:
    return sum(int(each.logits_NV[0].argmax()) == each.labels_N[0] for each in seen) / len(seen)


def macro_f1(seen: Sequence[Seen]) -> float:
    """The mean over the classes that stand in the labels or the predictions."""
    pairs = [(int(each.logits_NV[0].argmax()), each.labels_N[0]) for each in seen]
    scores: list[float] = []
    for name in {name for pair in pairs for name in pair}:
        right = sum(predicted == label == name for predicted, label in pairs)
        scores.append(2 * right / sum((predicted == name) + (label == name) for predicted, label in pairs))
    return sum(scores) / len(scores)


def bleu(texts: Sequence[str], references: Sequence[str]) -> float:
    return sacrebleu.corpus_bleu(list(texts), [list(references)]).score


def exact_match(texts: Sequence[str], references: Sequence[str]) -> float:
    return sum(text == reference for text, reference in zip(texts, references, strict=True)) / len(texts)
