"""The F test of a paired table against statsmodels, numbers worked out by hand, and its traps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.anova import AnovaRM

from sweep.verdict.omnibus import omnibus
from sweep.verdict.tables import Floats

SCORES = np.array([[0.61, 0.64, 0.66], [0.58, 0.63, 0.62], [0.66, 0.70, 0.69], [0.60, 0.60, 0.67]])


def gaussian(seed: int, shape: tuple[int, int]) -> Floats:
    return np.random.default_rng(seed).normal(size=shape)


def test_the_f_of_statsmodels() -> None:
    long = pd.DataFrame(SCORES).reset_index(names="seed").melt("seed", var_name="strategy", value_name="score")
    expected = AnovaRM(long, "score", "seed", ["strategy"]).fit().anova_table.iloc[0]
    found = omnibus(SCORES, None)
    assert found is not None
    assert (found.f, *found.df) == pytest.approx((expected["F Value"], expected["Num DF"], expected["Den DF"]))
    assert stats.f.sf(found.f, *found.df) == pytest.approx(expected["Pr > F"])


@given(st.integers(0, 1000), st.integers(2, 6))
def test_two_strategies_are_a_paired_t_test(seed: int, num_seeds: int) -> None:
    scores = gaussian(seed, (num_seeds, 2))
    found = omnibus(scores, None)
    assert found is not None
    assert found.epsilon == pytest.approx(1)
    assert found.p_different == pytest.approx(stats.ttest_rel(scores[:, 0], scores[:, 1]).pvalue)


@given(st.integers(0, 1000), st.integers(2, 7), st.integers(2, 5))
def test_epsilon_by_the_eigenvalues_of_orthonormal_contrasts(seed: int, num_seeds: int, num: int) -> None:
    scores = gaussian(seed, (num_seeds, num))
    contrasts = np.linalg.svd(np.eye(num) - 1 / num)[0][:, : num - 1]
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(scores @ contrasts, rowvar=False)))
    expected = values.sum() ** 2 / (num - 1) / np.sum(values**2)
    found = omnibus(scores, None)
    assert found is not None
    assert found.epsilon == pytest.approx(expected)
    assert 1 / (num - 1) - 1e-9 <= found.epsilon <= 1 + 1e-9


def test_a_seed_that_moves_all_strategies_changes_nothing() -> None:
    moved = omnibus(SCORES + np.array([[0.3], [0.0], [-0.2], [0.1]]), 0.02)
    kept = omnibus(SCORES, 0.02)
    assert moved is not None
    assert kept is not None
    assert (moved.f, moved.p_different, moved.p_equivalent) == pytest.approx(
        (kept.f, kept.p_different, kept.p_equivalent)
    )


def test_the_spread_of_differences_is_not_the_residual() -> None:
    """Of two strategies the standard deviation of the differences is sqrt 2 times the residual one, exactly."""
    pair = SCORES[:, :2]
    found = omnibus(pair, None)
    assert found is not None
    assert np.std(pair[:, 1] - pair[:, 0], ddof=1) == pytest.approx(2**0.5 * found.residual_sd)


def test_equivalence_by_the_noncentral_f() -> None:
    """At the margin two of the means are the margin apart, one half on each side of the others."""
    found = omnibus(SCORES, 0.05)
    assert found is not None
    shift = len(SCORES) * 2 * 0.025**2 / found.residual_sd**2
    assert found.p_equivalent == pytest.approx(float(stats.ncf.cdf(found.f, *found.df, shift)), rel=1e-6)


def test_the_f_of_toster() -> None:
    """`equ_ftest(Fstat = 0.49348, df1 = 2, df2 = 4577, eqbound = .01)`, p = 1.127e-09, by the same noncentral F."""
    from statsmodels.stats.oneway import equivalence_oneway_generic

    f_squared = 0.01 / 0.99
    found = equivalence_oneway_generic(0.49348, 3, np.array([4580]), f_squared, (2, 4577), margin_type="f2")
    assert found.pvalue == pytest.approx(1.127e-09, abs=5e-13)


def test_zero_variance_has_no_test() -> None:
    assert omnibus(np.array([[0.1, 0.2], [0.3, 0.4], [0.6, 0.7]]), 0.1) is None
    assert omnibus(np.full((3, 3), 0.5), 0.1) is None


def test_one_seed_or_one_strategy_has_no_test() -> None:
    assert omnibus(SCORES[:1], 0.1) is None
    assert omnibus(SCORES[:, :1], 0.1) is None
