"""Angle statistics against hand-computed cases and a triple loop in NumPy.

B batch, T tokens, E width, L student states, M teacher states.
"""

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from trainables import angles
from trainables.angles import AngleStatistics

NUM_STUDENT, NUM_TEACHER = 3, 5
NAMES = {"cos_mean", "acute_share", "count", "left_out", "histogram"}


@dataclass
class Batch:
    """States of a student and a teacher, with padding."""

    student_LBTE: Tensor
    teacher_MBTE: Tensor
    mask_BT: Tensor

    def map(self, change: Any) -> "Batch":
        """This batch with its states changed."""
        return replace(self, student_LBTE=change(self.student_LBTE), teacher_MBTE=change(self.teacher_MBTE))


def draw(seed: int = 0, num_examples: int = 4, num_tokens: int = 6, width: int = 7) -> Batch:
    """Random states, each teacher state a step on from the last; examples of 1 to num_tokens - 1 real tokens."""
    rng = torch.Generator().manual_seed(seed)
    shape = (num_examples, num_tokens, width)
    lengths_B = torch.randint(1, num_tokens, (num_examples,), generator=rng)
    return Batch(
        torch.randn(NUM_STUDENT, *shape, generator=rng),
        torch.randn(NUM_TEACHER, *shape, generator=rng).cumsum(0) + 0.5,
        torch.arange(num_tokens) < lengths_B[:, None],
    )


def measure(*batches: Batch, epsilon: float = 1e-4, num_bins: int = 20) -> AngleStatistics:
    """The statistics of batches that come one after another."""
    first = batches[0]
    statistics = AngleStatistics(len(first.student_LBTE), len(first.teacher_MBTE), num_bins)
    for batch in batches:
        statistics.update(list(batch.student_LBTE), list(batch.teacher_MBTE), batch.mask_BT, epsilon)
    return statistics


def one_token(student: list[float], *teacher: list[float]) -> Batch:
    """One student state and the teacher's states at a single token."""
    return Batch(torch.tensor(student)[None, None, None], torch.tensor(teacher)[:, None, None], torch.ones(1, 1).bool())


def reference(batch: Batch, epsilon: float = 1e-4) -> dict[tuple[int, int, int], list[float]]:
    """The cosines of (student state, i, k), token by token in fp64; a vanishing difference gives none."""
    student, teacher = batch.student_LBTE.double().numpy(), batch.teacher_MBTE.double().numpy()
    found: dict[tuple[int, int, int], list[float]] = {}
    for j in range(len(student)):
        for i, k in combinations(range(len(teacher)), 2):
            cosines = found[j, i, k] = []
            for b, t in batch.mask_BT.nonzero().tolist():
                one, other = teacher[i, b, t] - student[j, b, t], teacher[k, b, t] - student[j, b, t]
                lengths = [math.sqrt(sum(x * x for x in each)) for each in (one, other)]
                shortest = [epsilon * math.sqrt(sum(x * x for x in teacher[m, b, t])) for m in (i, k)]
                if lengths[0] > shortest[0] and lengths[1] > shortest[1]:
                    cosines.append(sum(x * y for x, y in zip(one, other, strict=True)) / (lengths[0] * lengths[1]))
    return found


def assert_same(one: AngleStatistics, other: AngleStatistics) -> None:
    """The same bit for bit."""
    ours, theirs = one.arrays(), other.arrays()
    assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in NAMES)


# Values


@pytest.mark.parametrize(
    ("first", "second", "cosine", "acute"),
    [
        ([2.0, 0.0], [5.0, 0.0], 1.0, 1.0),
        ([2.0, 0.0], [3.0, 3.0], math.sqrt(0.5), 1.0),
        ([2.0, 0.0], [0.0, 7.0], 0.0, 0.0),
        ([2.0, 0.0], [-1.0, 1.0], -math.sqrt(0.5), 0.0),
        ([2.0, 0.0], [-4.0, 0.0], -1.0, 0.0),
    ],
    ids=["same way", "45 degrees", "right angle", "135 degrees", "opposite"],
)
def test_golden_angles_seen_from_the_student(
    first: list[float], second: list[float], cosine: float, acute: float
) -> None:
    origin = np.array([10.0, -3.0])
    found = measure(one_token(list(origin), list(origin + first), list(origin + second)))
    assert found.cos_mean() == pytest.approx(cosine, abs=1e-6)
    assert found.acute_share() == acute
    assert found.arrays()["cos_mean"][0, 0, 1] == pytest.approx(cosine, abs=1e-6)
    expected_bin = min(19, math.floor((cosine + 1) * 10))
    assert found.arrays()["histogram"][0, 0, 1].nonzero()[0].tolist() == [expected_bin]


@pytest.mark.parametrize("seed", range(4))
def test_every_pair_and_state_is_the_reference(seed: int) -> None:
    batch = draw(seed)
    arrays = measure(batch).arrays()
    for place, cosines in reference(batch).items():
        assert arrays["cos_mean"][place] == pytest.approx(np.mean(cosines), abs=1e-6)
        assert arrays["acute_share"][place] == np.mean(np.array(cosines) > 0)
        assert arrays["count"][place] == len(cosines) == batch.mask_BT.sum()
        expected, _ = np.histogram(cosines, bins=20, range=(-1, 1))
        assert arrays["histogram"][place].tolist() == expected.tolist()


def test_scalars_are_pooled_over_states_pairs_and_tokens() -> None:
    batch = draw()
    batch.student_LBTE[1, 0, 0] = batch.teacher_MBTE[
        2, 0, 0
    ]  # one state counts less: a mean of means is another number
    pooled = [cosine for cosines in reference(batch).values() for cosine in cosines]
    found = measure(batch)
    assert found.cos_mean() == pytest.approx(np.mean(pooled), abs=1e-6)
    assert found.acute_share() == np.mean(np.array(pooled) > 0)


def test_shapes_and_empty_places() -> None:
    arrays = measure(draw(), num_bins=8).arrays()
    assert set(arrays) == NAMES
    square = (NUM_STUDENT, NUM_TEACHER, NUM_TEACHER)
    assert [arrays[name].shape for name in ("cos_mean", "acute_share", "count")] == [square] * 3
    assert arrays["left_out"].shape == (NUM_STUDENT, NUM_TEACHER)
    assert arrays["histogram"].shape == (*square, 8)
    rest = np.tril_indices(NUM_TEACHER)
    for name in ("cos_mean", "acute_share"):
        assert np.isnan(arrays[name][:, *rest]).all()
        assert np.isfinite(arrays[name][:, *np.triu_indices(NUM_TEACHER, 1)]).all()
    assert arrays["count"][:, *rest].sum() == arrays["histogram"][:, *rest].sum() == 0


@given(seed=st.integers(0, 1000), num_bins=st.integers(1, 30))
@settings(max_examples=30)
def test_a_histogram_sums_to_its_count_and_a_cosine_is_in_range(seed: int, num_bins: int) -> None:
    found = measure(draw(seed, width=2), num_bins=num_bins)
    arrays = found.arrays()
    assert np.array_equal(arrays["histogram"].sum(-1), arrays["count"])
    assert -1 <= np.nanmin(arrays["cos_mean"]) <= np.nanmax(arrays["cos_mean"]) <= 1
    assert 0 <= found.acute_share() <= 1


def test_angles_move_with_neither_scale_nor_shift() -> None:
    batch = draw()
    found = measure(batch.map(lambda t: 4 * t))
    assert_same(found, measure(batch))
    assert measure(batch.map(lambda t: t + 3)).cos_mean() == pytest.approx(found.cos_mean(), abs=1e-6)


# Streaming, chunks, padding


def test_streaming_is_one_shot() -> None:
    batches = [draw(seed) for seed in range(3)]
    whole = Batch(
        torch.cat([b.student_LBTE for b in batches], 1),
        torch.cat([b.teacher_MBTE for b in batches], 1),
        torch.cat([b.mask_BT for b in batches]),
    )
    streamed, at_once = measure(*batches).arrays(), measure(whole).arrays()
    for name in ("count", "left_out", "histogram", "acute_share"):
        np.testing.assert_array_equal(streamed[name], at_once[name])
    np.testing.assert_allclose(streamed["cos_mean"], at_once["cos_mean"], rtol=0, atol=1e-7)


@pytest.mark.parametrize("max_elements", [1, 3 * NUM_TEACHER * 7])
def test_chunks_bound_memory_and_change_nothing(max_elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = draw()
    at_once = measure(batch).arrays()
    monkeypatch.setattr(angles, "MAX_ELEMENTS", max_elements)
    sizes: list[int] = []
    bmm = torch.bmm

    def watched(one: Tensor, other: Tensor) -> Tensor:
        sizes.append(one.numel())
        return bmm(one, other)

    monkeypatch.setattr(torch, "bmm", watched)
    chunked = measure(batch).arrays()
    assert max(sizes) <= max(max_elements, NUM_TEACHER * 7)
    assert len(sizes) == NUM_STUDENT * math.ceil(int(batch.mask_BT.sum()) / max(1, max_elements // (NUM_TEACHER * 7)))
    for name in ("count", "left_out", "histogram", "acute_share"):
        np.testing.assert_array_equal(chunked[name], at_once[name])
    np.testing.assert_allclose(chunked["cos_mean"], at_once["cos_mean"], rtol=0, atol=1e-7)


@pytest.mark.parametrize("garbage", [0.0, 1e30, math.inf, math.nan])
def test_garbage_in_padding_moves_no_number(garbage: float) -> None:
    batch = draw()
    assert not batch.mask_BT.all()
    assert_same(measure(batch.map(lambda t: t.where(batch.mask_BT[..., None], garbage))), measure(batch))


def test_more_padding_moves_no_number() -> None:
    batch = draw()
    longer = batch.map(lambda t: torch.cat([t, torch.full_like(t, math.nan)], dim=2))
    longer.mask_BT = torch.cat([batch.mask_BT, torch.zeros_like(batch.mask_BT)], dim=1)
    assert_same(measure(longer), measure(batch))


def test_a_batch_of_padding_alone_is_nothing() -> None:
    batch = draw()
    batch.mask_BT = torch.zeros_like(batch.mask_BT)
    found = measure(batch)
    assert math.isnan(found.cos_mean())
    assert math.isnan(found.acute_share())
    assert found.arrays()["count"].sum() == found.arrays()["left_out"].sum() == 0
    assert_same(measure(batch, draw(1)), measure(draw(1)))


# Left out


def test_a_vanishing_difference_is_left_out_and_counted() -> None:
    """Student state 0 is teacher state 0 but for rounding, as copied weights make it; state 1 is another."""
    batch = draw()
    batch.student_LBTE[0] = batch.teacher_MBTE[0] * (1 + 1e-6)
    arrays = measure(batch).arrays()
    num_tokens = int(batch.mask_BT.sum())
    expected = np.zeros((NUM_STUDENT, NUM_TEACHER))
    expected[0, 0] = num_tokens
    assert np.array_equal(arrays["left_out"], expected)
    assert arrays["count"][0, 0, 1:].sum() == 0
    assert np.isnan(arrays["cos_mean"][0, 0]).all()
    assert (arrays["count"][0, 1, 2:] == num_tokens).all()
    assert (arrays["count"][1:, 0, 1:] == num_tokens).all()
    assert arrays["histogram"][0, 0].sum() == 0


@pytest.mark.parametrize(("epsilon", "num_left_out"), [(1e-4, 0), (1e-3, 0), (1e-2, 1), (0.5, 1), (2.0, 2)])
def test_epsilon_is_relative_to_the_teacher_state(epsilon: float, num_left_out: int) -> None:
    """Differences 0.5 and 100 from teacher states of length 100 and 100: 0.005 and 1 of them."""
    batch = one_token([100.5, 0.0], [100.0, 0.0], [0.5, 0.0])
    batch.teacher_MBTE[1, 0, 0] = torch.tensor([100.5, 100.0])
    found = measure(batch, epsilon=epsilon).arrays()
    assert found["left_out"].sum() == num_left_out
    assert found["count"].sum() == (num_left_out == 0)


def test_equal_states_are_left_out_even_at_zero() -> None:
    found = measure(one_token([0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]))
    assert found.arrays()["left_out"].tolist() == [[1, 0, 0]]
    assert found.cos_mean() == pytest.approx(math.sqrt(0.5), abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_state_that_is_not_finite_is_left_out(value: float) -> None:
    found = measure(one_token([0.0, 0.0], [value, 0.0], [1.0, 0.0], [1.0, 1.0]))
    assert found.arrays()["left_out"].tolist() == [[1, 0, 0]]
    assert found.cos_mean() == pytest.approx(math.sqrt(0.5), abs=1e-6)
    of_student = measure(one_token([value, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]))
    assert of_student.arrays()["left_out"].tolist() == [[1, 1, 1]]
    assert math.isnan(of_student.cos_mean())


# Dtypes


def test_autocast_changes_nothing() -> None:
    batch = draw()
    with torch.autocast("cpu", torch.bfloat16):
        found = measure(batch)
    assert_same(found, measure(batch))


def test_bf16_states_are_taken_in_fp32() -> None:
    batch = draw().map(lambda t: t.bfloat16())
    assert_same(measure(batch), measure(batch.map(lambda t: t.float())))


def test_the_student_must_be_as_wide_as_the_teacher() -> None:
    batch = draw()
    batch.student_LBTE = batch.student_LBTE[..., :1]
    with pytest.raises(AssertionError):
        measure(batch)
