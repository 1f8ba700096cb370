"""The rank correlation of acute angles and spread, with its interval."""

from __future__ import annotations

from math import atanh, sqrt, tanh

import numpy as np
import pytest
from scipy import stats

from sweep.verdict.angles import relation

ACUTE = [0.62, 0.71, 0.75, 0.83, 0.9, 0.97]
SPREAD = [0.05, 0.06, 0.02, 0.03, 0.01, 0.015]


def test_the_correlation_of_ranks_and_its_interval() -> None:
    found = relation(ACUTE, SPREAD, 0.05)
    assert found is not None
    expected = float(stats.spearmanr(ACUTE, SPREAD).statistic)
    half = 1.959963985 * sqrt(1.06 / 3)
    assert found.correlation == pytest.approx(expected)
    assert (found.low, found.high) == pytest.approx((tanh(atanh(expected) - half), tanh(atanh(expected) + half)))
    assert found.num == 6


def test_the_interval_covers_the_true_correlation() -> None:
    random, true = np.random.default_rng(0), 0.5
    rank = 6 / np.pi * np.arcsin(true / 2)  # Spearman's, of a normal pair with Pearson's `true`
    covered = 0
    for _ in range(400):
        pair = random.multivariate_normal([0, 0], [[1, true], [true, 1]], 30)
        found = relation(pair[:, 0].tolist(), pair[:, 1].tolist(), 0.05)
        assert found is not None
        covered += found.low <= rank <= found.high
    low, high = stats.binom.ppf([0.005, 0.995], 400, 0.95)
    assert low <= covered <= high


def test_without_enough_comparisons_nothing_is_said() -> None:
    assert relation(ACUTE[:4], SPREAD[:4], 0.05) is None
    assert relation([0.9] * 6, SPREAD, 0.05) is None
    assert relation(ACUTE, [0.1] * 6, 0.05) is None


def test_a_perfect_order_has_no_interval_to_compute() -> None:
    found = relation(ACUTE, ACUTE, 0.05)
    assert found is not None
    assert (found.correlation, found.low, found.high) == (1.0, 1.0, 1.0)
