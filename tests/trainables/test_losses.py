"""The loss terms against loops in NumPy, and what padding, batches and dtypes must not do to them.

B batch, T tokens, E width, V vocabulary or classes, N real positions.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from tests.trainables.families.settings import Setting
from tests.trainables.test_student import make
from trainables.config import LossConfig
from trainables.families.states import forward
from trainables.losses import (
    IGNORED,
    LOSSES,
    HiddenNorm,
    bare_l2,
    cross_entropy_sum,
    decoder_input_mask,
    hidden_sum,
    kl_sum,
    num_labels,
    whole_layernorm,
)
from trainables.objective import Distillation
from trainables.strategies import StateMapping

Array = np.ndarray[Any, np.dtype[np.float64]]
NORMS: list[HiddenNorm] = ["none", "l2", "layernorm"]
B, T, E, V = 3, 5, 8, 11


# References: loops in fp64


def log_softmax(logits_V: Array) -> Array:
    return logits_V - logits_V.max() - math.log(sum(math.exp(x - logits_V.max()) for x in logits_V))


def reference_cross_entropy(logits_NV: Array, labels_N: Array) -> float:
    return sum(
        -log_softmax(row)[int(label)] for row, label in zip(logits_NV, labels_N, strict=True) if label != IGNORED
    )


def reference_kl(student_NV: Array, teacher_NV: Array, labels_N: Array, temperature: float) -> float:
    total = 0.0
    for student_V, teacher_V, label in zip(student_NV, teacher_NV, labels_N, strict=True):
        if label != IGNORED:
            log_q, log_p = log_softmax(student_V / temperature), log_softmax(teacher_V / temperature)
            total += sum(math.exp(p) * (p - q) for p, q in zip(log_p, log_q, strict=True))
    return temperature**2 * total


def normed(hidden_E: Array, norm: HiddenNorm) -> Array:
    if norm == "l2":
        return hidden_E / math.sqrt(sum(x * x for x in hidden_E))
    if norm == "layernorm":
        mean = sum(hidden_E) / len(hidden_E)
        variance = sum((x - mean) ** 2 for x in hidden_E) / len(hidden_E)
        return (hidden_E - mean) / math.sqrt(variance + 1e-5)
    return hidden_E


def reference_hidden(student_NE: Array, teacher_NE: Array, mask_N: Array, norm: HiddenNorm) -> float:
    total = 0.0
    for student_E, teacher_E, real in zip(student_NE, teacher_NE, mask_N, strict=True):
        if real:
            squares = [(s - t) ** 2 for s, t in zip(normed(student_E, norm), normed(teacher_E, norm), strict=True)]
            total += sum(squares) / len(squares)
    return total


# Inputs


@dataclass
class Inputs:
    """A batch with padding: everything that the three terms take."""

    student_BTV: Tensor
    teacher_BTV: Tensor
    student_BTE: Tensor
    teacher_BTE: Tensor
    mask_BT: Tensor
    labels_BT: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> "Inputs":
        """This batch with its float tensors changed."""
        changed = {field: change(getattr(self, field)) for field in FLOATS}
        return replace(self, **changed)


FLOATS = ("student_BTV", "teacher_BTV", "student_BTE", "teacher_BTE")


def draw(seed: int = 0, num_tokens: int = T) -> Inputs:
    """Random logits and states; examples of 1 to num_tokens - 1 real tokens."""
    rng = torch.Generator().manual_seed(seed)
    lengths_B = torch.randint(1, num_tokens, (B,), generator=rng)
    mask_BT = torch.arange(num_tokens) < lengths_B[:, None]
    return Inputs(
        student_BTV=3 * torch.randn(B, num_tokens, V, generator=rng),
        teacher_BTV=3 * torch.randn(B, num_tokens, V, generator=rng),
        student_BTE=torch.randn(B, num_tokens, E, generator=rng),
        teacher_BTE=2 * torch.randn(B, num_tokens, E, generator=rng) + 1,
        mask_BT=mask_BT,
        labels_BT=torch.randint(0, V, (B, num_tokens), generator=rng).where(mask_BT, IGNORED),
    )


Term = Callable[[Inputs], Tensor]
TERMS: dict[str, Term] = {
    "ce": lambda x: cross_entropy_sum(x.student_BTV, x.labels_BT),
    "kl": lambda x: kl_sum(x.student_BTV, x.teacher_BTV, x.labels_BT, 2.0),
    **{
        f"hidden_{norm}": lambda x, norm=norm: hidden_sum(x.student_BTE, x.teacher_BTE, x.mask_BT, norm)
        for norm in NORMS
    },
}
each_term = pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)


def rows(tensor: Tensor) -> Array:
    """[B, T, X] as [N, X] in fp64."""
    return tensor.detach().double().flatten(0, -2).numpy()


def gradients(term: Term, inputs: Inputs) -> tuple[Tensor, list[Tensor]]:
    """The value, and its gradients by the student's logits and states."""
    leaves = inputs.map(lambda x: x.clone().requires_grad_())
    value = term(leaves)
    found = torch.autograd.grad(
        value, [leaves.student_BTV, leaves.student_BTE], allow_unused=True, materialize_grads=True
    )
    return value, list(found)


# Values


@pytest.mark.parametrize("seed", range(5))
def test_cross_entropy_is_the_reference(seed: int) -> None:
    x = draw(seed)
    expected = reference_cross_entropy(rows(x.student_BTV), x.labels_BT.flatten().numpy())
    assert cross_entropy_sum(x.student_BTV, x.labels_BT).item() == pytest.approx(expected, rel=1e-6)


def test_cross_entropy_of_classification_is_the_reference() -> None:
    logits_BV, labels_B = draw().student_BTV[:, 0], torch.tensor([4, 0, 10])
    expected = reference_cross_entropy(rows(logits_BV), labels_B.numpy())
    assert cross_entropy_sum(logits_BV, labels_B).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 8.0])
@pytest.mark.parametrize("seed", range(3))
def test_kl_is_the_reference(seed: int, temperature: float) -> None:
    x = draw(seed)
    expected = reference_kl(rows(x.student_BTV), rows(x.teacher_BTV), x.labels_BT.flatten().numpy(), temperature)
    assert kl_sum(x.student_BTV, x.teacher_BTV, x.labels_BT, temperature).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(3))
def test_hidden_is_the_reference(seed: int, norm: HiddenNorm) -> None:
    x = draw(seed)
    expected = reference_hidden(rows(x.student_BTE), rows(x.teacher_BTE), x.mask_BT.flatten().numpy(), norm)
    assert hidden_sum(x.student_BTE, x.teacher_BTE, x.mask_BT, norm).item() == pytest.approx(expected, rel=1e-6)


def test_cross_entropy_by_hand() -> None:
    """Equal logits over 4 classes: ln 4 for each of two labels."""
    assert cross_entropy_sum(torch.zeros(3, 4), torch.tensor([1, IGNORED, 3])).item() == pytest.approx(2 * math.log(4))


def test_kl_goes_from_teacher_to_student_and_is_not_divided_by_the_classes() -> None:
    """p = (1/2, 1/2), q = (1/4, 3/4): KL(p || q) = ln 2 - ln 3 / 2 = 0.1438; the other way 0.1308."""
    teacher, student = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log()
    labels = torch.tensor([0])
    assert kl_sum(student, teacher, labels, 1.0).item() == pytest.approx(math.log(2) - math.log(3) / 2, rel=1e-6)
    assert kl_sum(teacher, student, labels, 1.0).item() == pytest.approx(0.75 * math.log(3) - math.log(2), rel=1e-6)


def test_kl_has_the_square_of_the_temperature() -> None:
    """Logits doubled at temperature 2 are the same distributions: four times the KL at 1."""
    x = draw()
    at_1 = kl_sum(x.student_BTV, x.teacher_BTV, x.labels_BT, 1.0)
    at_2 = kl_sum(2 * x.student_BTV, 2 * x.teacher_BTV, x.labels_BT, 2.0)
    assert at_2.item() == pytest.approx(4 * at_1.item(), rel=1e-6)


def test_hidden_is_a_mean_over_width_and_a_sum_over_tokens() -> None:
    """A difference of 2 in every place: 4 a token, whatever the width."""
    for width in (1, 6, 100):
        student, teacher = torch.zeros(2, 3, width), torch.full((2, 3, width), 2.0)
        mask_BT = torch.tensor([[True, True, False], [True, False, False]])
        assert hidden_sum(student, teacher, mask_BT, "none").item() == 12.0


def test_hidden_l2_by_hand() -> None:
    """Unit vectors at a right angle differ by sqrt 2: 2 / width, whatever their lengths."""
    student, teacher = torch.tensor([[[3.0, 0.0]]]), torch.tensor([[[0.0, 500.0]]])
    assert hidden_sum(student, teacher, torch.tensor([[True]]), "l2").item() == pytest.approx(1.0)


def test_the_norms_give_different_numbers() -> None:
    assert len({round(TERMS[f"hidden_{norm}"](draw()).item(), 3) for norm in NORMS}) == 3


@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_what_the_norms_are_blind_to(scale: float, shift: float) -> None:
    x = draw()
    l2 = hidden_sum(scale * x.student_BTE, x.teacher_BTE, x.mask_BT, "l2").item()
    assert l2 == pytest.approx(TERMS["hidden_l2"](x).item(), rel=1e-5)
    layernorm = hidden_sum(x.student_BTE + shift, x.teacher_BTE, x.mask_BT, "layernorm").item()
    assert layernorm == pytest.approx(TERMS["hidden_layernorm"](x).item(), rel=1e-4)


@pytest.mark.parametrize("norm", NORMS)
def test_equal_states_and_equal_logits_cost_nothing(norm: HiddenNorm) -> None:
    x = draw()
    assert hidden_sum(x.teacher_BTE, x.teacher_BTE, x.mask_BT, norm).item() == 0
    assert kl_sum(x.teacher_BTV, x.teacher_BTV, x.labels_BT, 3.0).item() == 0


def test_numbers_are_learnt_by_their_squared_errors() -> None:
    """Against loops: to the labels in place of cross entropy, to the teacher in place of KL, at every temperature."""
    mine, theirs, labels = [0.5, -1.25, 3.0], [0.25, -2.0, 2.0], [1.0, -100.0, 2.5]
    student_B1, teacher_B1 = (torch.tensor(values)[:, None] for values in (mine, theirs))
    to_labels, to_teacher = LOSSES["squared_error"]
    wanted = sum((x - y) ** 2 for x, y in zip(mine, labels, strict=True))
    assert to_labels(student_B1, torch.tensor(labels)).item() == pytest.approx(wanted)  # -100 is a number too
    for temperature in (1.0, 4.0):
        all_B, but_one_B = torch.tensor([0, 0, 0]), torch.tensor([0, IGNORED, 0])
        distances = [(x - y) ** 2 for x, y in zip(mine, theirs, strict=True)]
        assert to_teacher(student_B1, teacher_B1, all_B, temperature).item() == pytest.approx(sum(distances))
        rest = pytest.approx(distances[0] + distances[2])
        assert to_teacher(student_B1, teacher_B1, but_one_B, temperature).item() == rest
    half = student_B1.to(torch.bfloat16).requires_grad_()
    assert to_labels(half, torch.tensor(labels)).dtype == torch.float32
    to_labels(half, torch.tensor(labels)).backward()
    assert half.grad is not None
    assert half.grad[:, 0].tolist() == pytest.approx([2 * (x - y) for x, y in zip(mine, labels, strict=True)], rel=1e-2)


def test_labels_are_counted() -> None:
    assert num_labels(torch.tensor([[1, 0, IGNORED], [IGNORED, IGNORED, 5]])) == 3
    assert num_labels(torch.tensor([0.5, -100.0])) == 2


# Padding


@each_term
@pytest.mark.parametrize("garbage", [1e30, -7.0, math.inf, -math.inf, math.nan])
def test_garbage_in_padding_moves_no_number_and_no_gradient(term: Term, garbage: float) -> None:
    x = draw()
    assert not x.mask_BT.all()
    value, found = gradients(term, x)
    spoilt_value, spoilt = gradients(term, x.map(lambda t: t.where(x.mask_BT[..., None], garbage)))
    assert torch.equal(value, spoilt_value)
    assert all(map(torch.equal, found, spoilt))
    assert all(g[~x.mask_BT].count_nonzero() == 0 for g in spoilt)


@each_term
def test_more_padding_moves_no_number(term: Term) -> None:
    x = draw()
    longer = x.map(lambda t: torch.cat([t, torch.full_like(t, math.nan)], dim=1))
    longer.mask_BT = torch.cat([x.mask_BT, torch.zeros_like(x.mask_BT)], dim=1)
    longer.labels_BT = torch.cat([x.labels_BT, torch.full_like(x.labels_BT, IGNORED)], dim=1)
    assert torch.equal(term(x), term(longer))


@each_term
def test_real_positions_do_count(term: Term) -> None:
    x = draw()
    step = torch.linspace(-1, 1, V)
    for b, t in x.mask_BT.nonzero().tolist():
        moved = x.map(torch.clone)
        moved.student_BTV[b, t] += step
        moved.student_BTE[b, t] += step[:E]
        assert term(moved).item() != term(x).item()


@each_term
def test_a_batch_of_padding_alone_is_zero_and_has_a_gradient(term: Term) -> None:
    x = draw()
    x.mask_BT, x.labels_BT = torch.zeros_like(x.mask_BT), torch.full_like(x.labels_BT, IGNORED)
    value, found = gradients(term, x)
    assert value.item() == 0
    assert all(g.count_nonzero() == 0 for g in found)


# Gradients


def test_gradients_of_cross_entropy_and_kl_are_the_analytic_ones() -> None:
    """softmax - one-hot; T (softmax(s / T) - softmax(t / T))."""
    x = draw()
    real_N = x.mask_BT.flatten().numpy()
    softmax_NV = np.exp([log_softmax(row) for row in rows(x.student_BTV)])
    one_hot_NV = np.eye(V)[x.labels_BT.clamp(min=0).flatten().numpy()]
    expected = (softmax_NV - one_hot_NV) * real_N[:, None]
    np.testing.assert_allclose(rows(gradients(TERMS["ce"], x)[1][0]), expected, rtol=0, atol=1e-6)

    student_NV = np.exp([log_softmax(row / 2) for row in rows(x.student_BTV)])
    teacher_NV = np.exp([log_softmax(row / 2) for row in rows(x.teacher_BTV)])
    expected = 2 * (student_NV - teacher_NV) * real_N[:, None]
    np.testing.assert_allclose(rows(gradients(TERMS["kl"], x)[1][0]), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_gradient_of_hidden_is_that_of_finite_differences(norm: HiddenNorm) -> None:
    """Central differences of the fp64 reference."""
    x = draw()
    student_NE, teacher_NE, mask_N = rows(x.student_BTE), rows(x.teacher_BTE), x.mask_BT.flatten().numpy()
    expected = np.zeros_like(student_NE)
    for place in np.ndindex(*student_NE.shape):
        step = np.zeros_like(student_NE)
        step[place] = 1e-5
        up = reference_hidden(student_NE + step, teacher_NE, mask_N, norm)
        down = reference_hidden(student_NE - step, teacher_NE, mask_N, norm)
        expected[place] = (up - down) / 2e-5
    np.testing.assert_allclose(rows(gradients(TERMS[f"hidden_{norm}"], x)[1][1]), expected, rtol=0, atol=1e-6)


# Accumulation


@each_term
def test_micro_batches_of_different_lengths_give_the_gradient_of_one_batch(term: Term) -> None:
    """Four micro-batches, each padded to its own length, divided by the total of all of them."""
    micro = [draw(seed, num_tokens=3 + 2 * seed) for seed in range(4)]
    counts = [int(x.mask_BT.sum()) for x in micro]
    total = sum(counts)
    assert len(set(counts)) > 1

    def padded(t: Tensor, value: float) -> Tensor:
        return torch.cat([t, t.new_full((B, 9 - t.shape[1], *t.shape[2:]), value)], dim=1)

    fill = {**dict.fromkeys(FLOATS, 0.0), "mask_BT": False, "labels_BT": IGNORED}
    whole = Inputs(**{name: torch.cat([padded(getattr(x, name), v) for x in micro]) for name, v in fill.items()})

    logit_weight, state_weight = torch.eye(V).requires_grad_(), torch.eye(E).requires_grad_()

    def weights_gradient(batches: list[Inputs]) -> list[Tensor]:
        """Gradients that add up over the batches in two shared layers before the logits and the states."""
        logit_weight.grad = state_weight.grad = None
        for x in batches:
            seen = x.map(lambda t: t)
            seen.student_BTV, seen.student_BTE = x.student_BTV @ logit_weight, x.student_BTE @ state_weight
            (term(seen) / total).backward()
        return [w.grad.clone() for w in (logit_weight, state_weight) if w.grad is not None]

    torch.testing.assert_close(weights_gradient(micro), weights_gradient([whole]), rtol=1e-5, atol=1e-7)


# Pairs


def terms_of(objective: Distillation, teacher: PreTrainedModel, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    wanted = forward(objective.family, teacher, batch)
    return objective.terms(batch, objective.forward(batch), wanted, objective.totals(batch))


def test_the_hidden_term_is_the_mean_over_all_pairs_of_all_stacks(
    setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]
) -> None:
    """Not their sum, and not the mean of the stacks' means: the stacks have different numbers of pairs here."""
    mappings: dict[str, StateMapping] = {"encoder": {0: 0, 1: 5, 3: 2}, "decoder": {2: 6, 3: 1}}
    mappings = {stack: mappings[stack] for stack in setting.family.stacks}
    student = make(setting, teacher, init="random")
    objective = Distillation(
        setting.family,
        setting.head,
        student,
        mappings,
        LossConfig(ce=0.5, kl=2.0, hidden=7.0),
    )
    terms = {name: term.item() for name, term in terms_of(objective, teacher, batch).items()}

    mine, theirs = forward(setting.family, student.model, batch), forward(setting.family, teacher, batch)
    pairs = [
        reference_hidden(rows(mine.states[stack][s]), rows(theirs.states[stack][t]), real_N, "none") / real_N.sum()
        for stack, mapping in mappings.items()
        for s, t in mapping.items()
        for real_N in [mine.masks[stack].flatten().numpy()]
    ]
    assert len(pairs) == sum(map(len, mappings.values())) > 1
    assert terms["loss_hidden"] == pytest.approx(sum(pairs) / len(pairs), rel=1e-5)
    weighted = 0.5 * terms["loss_ce"] + 2 * terms["loss_kl"] + 7 * terms["loss_hidden"]
    assert terms["loss"] == pytest.approx(weighted, rel=1e-6)


def test_a_batch_without_a_label_has_a_hidden_term_alone(
    setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]
) -> None:
    """As where every word of a row is cut off: the other terms are 0, and not 0 / 0."""
    if "token_labels" not in batch:
        return
    batch = {**batch, "token_labels": torch.full_like(batch["token_labels"], IGNORED)}
    mappings: dict[str, StateMapping] = {stack: {1: 2} for stack in setting.family.stacks}
    objective = Distillation(setting.family, setting.head, make(setting, teacher), mappings, LossConfig())
    terms = terms_of(objective, teacher, batch)
    assert (terms["loss_ce"].item(), terms["loss_kl"].item()) == (0, 0)
    assert terms["loss_hidden"].item() > 0
    terms["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in objective.student.parameters())


def test_the_hidden_term_of_no_pairs_is_zero(
    setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]
) -> None:
    mappings: dict[str, StateMapping] = {stack: {} for stack in setting.family.stacks}
    objective = Distillation(setting.family, setting.head, make(setting, teacher), mappings, LossConfig())
    terms = terms_of(objective, teacher, batch)
    assert terms["loss_hidden"].item() == 0
    assert terms["loss"].item() == pytest.approx((terms["loss_ce"] + terms["loss_kl"]).item(), rel=1e-6)


# Dtypes


@each_term
def test_bf16_inputs_are_reduced_in_fp32(term: Term) -> None:
    """bf16 inputs give exactly what their fp32 copies give."""
    x = draw().map(lambda t: t.bfloat16())
    value, found = gradients(term, x)
    expected, wanted = gradients(term, x.map(lambda t: t.float()))
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)
    assert all(torch.equal(g, w.bfloat16()) for g, w in zip(found, wanted, strict=True))


@each_term
def test_autocast_changes_nothing(term: Term) -> None:
    x = draw()
    with torch.autocast("cpu", torch.bfloat16):
        value, found = gradients(term, x)
    expected, wanted = gradients(term, x)
    assert torch.equal(value, expected)
    assert all(map(torch.equal, found, wanted))


def test_a_long_sum_in_bf16_does_not_stall() -> None:
    """In bf16 a running sum of ones stops at 256."""
    hidden_BTE = torch.ones(4, 1000, 2, dtype=torch.bfloat16)
    mask_BT = torch.ones(4, 1000, dtype=torch.bool)
    assert hidden_sum(hidden_BTE, torch.zeros_like(hidden_BTE), mask_BT, "none").item() == 4000


@pytest.mark.parametrize("norm", NORMS)
def test_a_state_of_zeros_has_a_finite_gradient(norm: HiddenNorm) -> None:
    student = torch.zeros(1, 1, E, requires_grad=True)
    hidden_sum(student, torch.ones(1, 1, E), torch.tensor([[True]]), norm).backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_shapes_that_would_broadcast_are_refused() -> None:
    mask_BT = torch.ones(B, T, dtype=torch.bool)
    with pytest.raises(AssertionError):
        hidden_sum(torch.zeros(B, T, E), torch.zeros(B, T, 1), mask_BT, "none")
    with pytest.raises(AssertionError):
        kl_sum(torch.zeros(B, V), torch.zeros(1, V), torch.zeros(B, dtype=torch.long), 1.0)
    with pytest.raises(AssertionError):
        cross_entropy_sum(torch.zeros(B, T, V), torch.zeros(B, dtype=torch.long))


# What only the public code does


def test_a_decoders_input_is_its_labels_one_place_later() -> None:
    """The start token counts where it is not padding; a label of the padding token itself does not."""
    labels_BT = torch.tensor([[5, 2, IGNORED, IGNORED], [5, 0, 7, 2]])
    assert decoder_input_mask(labels_BT, 2, 0).tolist() == [[True, True, True, False], [True, True, False, True]]
    assert decoder_input_mask(labels_BT, 0, 0).tolist() == [[False, True, True, False], [False, True, False, True]]


def test_whole_layernorm_and_bare_l2_are_the_references() -> None:
    hidden_BTE = draw().teacher_BTE
    hidden_N = hidden_BTE.double().numpy()
    expected = (hidden_N - hidden_N.mean()) / np.sqrt(hidden_N.var() + 1e-5)
    np.testing.assert_allclose(whole_layernorm(hidden_BTE).numpy(), expected, atol=1e-6)
    lengths = np.sqrt((hidden_N**2).sum(-1, keepdims=True))
    np.testing.assert_allclose(bare_l2(hidden_BTE).numpy(), hidden_N / lengths, atol=1e-6)
    assert bare_l2(torch.zeros(1, 1, 2)).isnan().all()
    assert whole_layernorm(hidden_BTE.bfloat16()).dtype == bare_l2(hidden_BTE.bfloat16()).dtype == torch.float32
