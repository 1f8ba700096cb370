"""The distances between matched states against references in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainables.distances import CKA, DISTANCES, MSE, Cosine, Distance

Array = NDArray[np.float64]


def reference_mse(student_NE: Array, teacher_NE: Array) -> float:
    return float(((student_NE - teacher_NE) ** 2).mean(axis=1).sum())


def reference_cosine(student_NE: Array, teacher_NE: Array) -> float:
    lengths_N = np.linalg.norm(student_NE, axis=1) * np.linalg.norm(teacher_NE, axis=1)
    return float((1 - (student_NE * teacher_NE).sum(axis=1) / lengths_N).sum())


def reference_cka(student_NE: Array, teacher_NE: Array) -> float:
    """By centred Gram matrices of the tokens (Kornblith et al., 2019, equation 3), not by those of the width."""
    num = len(student_NE)
    centring_NN = np.eye(num) - 1 / num
    grams = [centring_NN @ each @ each.T @ centring_NN for each in (student_NE, teacher_NE)]
    hsic = [[float((one * other).sum()) for other in grams] for one in grams]
    return num * (1 - hsic[0][1] / np.sqrt(hsic[0][0] * hsic[1][1]))


REFERENCES = {"mse": reference_mse, "cosine": reference_cosine, "cka": reference_cka}


def draw(seed: int, num: int, width: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(num, width)), 2 * rng.normal(size=(num, width)) + 1


def total(distance: Distance, student_NE: Array, teacher_NE: Array) -> float:
    return distance.total(torch.from_numpy(student_NE), torch.from_numpy(teacher_NE)).item()


def test_every_distance_has_a_reference() -> None:
    assert DISTANCES.keys() == REFERENCES.keys()


@pytest.mark.parametrize("kind", DISTANCES)
@given(seed=st.integers(0, 1000), num=st.integers(2, 9), width=st.integers(2, 9))
def test_a_distance_is_its_reference(kind: str, seed: int, num: int, width: int) -> None:
    states = draw(seed, num, width)
    assert total(DISTANCES[kind](kind=kind), *states) == pytest.approx(REFERENCES[kind](*states), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", DISTANCES)
def test_equal_states_have_no_distance(kind: str) -> None:
    student_NE, _ = draw(0, 5, 4)
    assert total(DISTANCES[kind](kind=kind), student_NE, student_NE) == pytest.approx(0, abs=1e-12)


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10))
def test_what_leaves_a_distance_as_it_is(seed: int, scale: float) -> None:
    student_NE, teacher_NE = draw(seed, 6, 4)
    rotation_EE, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))
    assert total(Cosine(), scale * student_NE, teacher_NE) == pytest.approx(total(Cosine(), student_NE, teacher_NE))
    changed_NE = scale * student_NE @ rotation_EE + 3
    assert total(CKA(), changed_NE, teacher_NE) == pytest.approx(total(CKA(), student_NE, teacher_NE))
    assert total(MSE(), student_NE @ rotation_EE, teacher_NE @ rotation_EE) == pytest.approx(
        total(MSE(), student_NE, teacher_NE)
    )


@pytest.mark.parametrize("kind", DISTANCES)
@pytest.mark.parametrize("num", [0, 1, 3])
def test_zeros_and_few_tokens_give_finite_numbers_and_gradients(kind: str, num: int) -> None:
    student_NE = torch.zeros(num, 4, requires_grad=True)
    value = DISTANCES[kind](kind=kind).total(student_NE, torch.zeros(num, 4))
    value.backward()
    assert torch.isfinite(value)
    assert student_NE.grad is not None
    assert torch.isfinite(student_NE.grad).all()
