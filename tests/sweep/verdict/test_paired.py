"""Paired tests against worked examples of R's TOSTER, PowerTOST and statsmodels, and their traps by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from sweep.verdict.paired import Difference, difference, equivalence, holm, mean, varies
from sweep.verdict.tables import Floats

SLEEP = (
    np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]),
    np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]),
)
"""R's data set `sleep`: the extra hours of ten patients under two drugs."""


def compared(first: Floats, second: Floats, margin: float | None, alpha: float = 0.05) -> Difference:
    margins = None if margin is None else np.full(len(first), margin)
    return difference(("first", "second"), first, second, margins, alpha)


def with_moments(size: int, centre: float, sd: float) -> Floats:
    """Values with exactly this mean and this standard deviation."""
    values = np.arange(size, dtype=float)
    return centre + sd * (values - values.mean()) / values.std(ddof=1)


def test_sleep_as_in_the_vignette_of_toster() -> None:
    """`t_TOST(x = sleep$extra[group == 1], y = sleep$extra[group == 2], paired = TRUE, eqb = .5)`"""
    found = compared(*SLEEP, margin=0.5)
    assert found.mean.value == pytest.approx(-1.58, abs=1e-12)
    assert (found.narrow.low, found.narrow.high) == pytest.approx((-2.2930053, -0.8669947), abs=5e-8)
    assert found.sd / 10**0.5 == pytest.approx(0.3890, abs=5e-5)
    assert found.p_equivalent == pytest.approx(0.9892, abs=5e-5)
    assert found.p_different == pytest.approx(0.002833, abs=5e-7)


@pytest.mark.parametrize(
    ("sd", "margin", "p_equivalent"),
    [
        # TOSTpaired(n=65, m1=5.83, m2=5.75, sd1=1.17, sd2=1.29, r12=0.75, low_eqbound_dz=-0.4, high_eqbound_dz=0.4)
        (math.sqrt(1.17**2 + 1.29**2 - 2 * 0.75 * 1.17 * 1.29), 0.350782, 0.00770235),
        # TOSTpaired.raw(n=65, m1=5.83, m2=5.75, sd1=1.17, sd2=1.30, r12=0.745, low_eqbound=-0.34, high_eqbound=0.34)
        (math.sqrt(1.17**2 + 1.30**2 - 2 * 0.745 * 1.17 * 1.30), 0.34, 0.01081349),
    ],
)
def test_examples_of_toster_by_their_moments(sd: float, margin: float, p_equivalent: float) -> None:
    found = compared(with_moments(65, 0.08, sd), np.zeros(65), margin)
    assert found.p_equivalent == pytest.approx(p_equivalent, abs=1e-6)


def test_p_values_of_powertost() -> None:
    """`pvalues.TOST(pe = 0.95, CV = 0.3, n = 12)`: 0.09105601 and 0.02250985, with 10 degrees of freedom."""
    error = math.sqrt(math.log(1 + 0.3**2)) * math.sqrt(2 / 12)
    values = with_moments(11, math.log(0.95), error * math.sqrt(11))
    assert compared(values, np.zeros(11), math.log(1.25)).p_equivalent == pytest.approx(0.09105601, abs=1e-8)


def test_equivalence_is_that_of_statsmodels() -> None:
    for margin in (0.5, 2.0, 3.0):
        expected = ttost_paired(*SLEEP, -margin, margin)[0]
        assert compared(*SLEEP, margin=margin).p_equivalent == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=8, unique=True), st.floats(0.01, 2))
def test_equivalence_is_shown_where_the_narrow_interval_lies_within_the_margin(
    values: list[int], margin: float
) -> None:
    found = compared(np.array(values) / 1000, np.zeros(len(values)), margin)
    assert found.narrow.low is not None
    assert found.narrow.high is not None
    assert found.p_equivalent is not None
    distance = min(margin - found.narrow.high, margin + found.narrow.low)
    if abs(distance) > 1e-9:
        assert (found.p_equivalent < 0.05) == (distance > 0)


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=8, unique=True))
def test_a_difference_is_shown_where_the_wide_interval_leaves_out_zero(values: list[int]) -> None:
    found = compared(np.array(values) / 1000, np.zeros(len(values)), None)
    assert found.mean.low is not None
    assert found.mean.high is not None
    assert found.p_different is not None
    if min(abs(found.mean.low), abs(found.mean.high)) > 1e-9:
        assert (found.p_different < 0.05) == (found.mean.low > 0 or found.mean.high < 0)


def test_zero_variance() -> None:
    """Differences that are all equal have p = 0 by their formula, from which nothing follows."""
    found = compared(np.array([0.3, 0.5, 0.8]), np.array([0.1, 0.3, 0.6]), margin=1.0)
    assert found.mean.value == pytest.approx(0.2)
    assert (found.p_different, found.p_equivalent, found.mean.low, found.sd) == (None, None, None, 0.0)


def test_a_constant_metric() -> None:
    found = compared(np.full(5, 0.7), np.full(5, 0.7), margin=0.01)
    assert (found.mean.value, found.p_different, found.p_equivalent) == (0.0, None, None)


def test_one_seed() -> None:
    found = compared(np.array([0.7]), np.array([0.6]), margin=0.5)
    assert found.mean.value == pytest.approx(0.1)
    assert (found.p_different, found.p_equivalent, found.mean.low) == (None, None, None)
    assert not varies(np.array([0.1]), 1.0)


def test_a_margin_in_raw_units_is_none_in_standard_deviations() -> None:
    """Scores in percent with a margin in percent give the p-value of shares with a margin in shares."""
    first, second = SLEEP[0] / 100, SLEEP[1] / 100
    assert compared(first, second, 0.02).p_equivalent == pytest.approx(compared(*SLEEP, margin=2.0).p_equivalent)
    # A margin of 0.4 standard deviations is 0.4 times the spread of the differences, and another one.
    in_sds = compared(*SLEEP, margin=0.4 * compared(*SLEEP, None).sd).p_equivalent
    assert compared(*SLEEP, margin=0.4).p_equivalent != pytest.approx(in_sds, abs=1e-3)


def test_a_margin_of_the_seeds_counts_its_own_uncertainty() -> None:
    """A third of a gain: the test is that of the linear contrasts, and less sure than with the gain taken as known."""
    gain = np.array([0.05, 0.12, 0.02, 0.08, 0.06])
    values = np.array([0.001, -0.002, 0.004, 0.0, 0.002])
    found = equivalence(values, gain / 3, 1.0)
    one_sided = [stats.ttest_1samp(gain / 3 + sign * values, 0, alternative="greater").pvalue for sign in (1, -1)]
    assert found == pytest.approx(max(one_sided), rel=1e-12)
    assert found is not None
    assert found > (equivalence(values, np.full(5, gain.mean() / 3), 1.0) or 0)


def test_no_margin_comes_of_a_loss() -> None:
    """Two means cannot both be below a negative bound: a gain that is none shows no equivalence at any level."""
    lost = np.array([-0.05, -0.12, -0.02, -0.08])
    found = equivalence(np.array([0.001, -0.001, 0.002, 0.0]), lost / 3, 1.0)
    assert found is not None
    assert found > 0.5


def test_holm_against_a_hand_computed_family() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@settings(max_examples=5)  # statsmodels collects garbage in each call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_as_in_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_a_test_that_was_not_possible_keeps_its_place_in_the_family() -> None:
    assert holm([0.01, None]) == [pytest.approx(0.02), None]


def test_the_interval_of_a_mean() -> None:
    """Against the density of t, integrated."""
    values = np.array([0.71, 0.74, 0.69, 0.75])
    found = mean(values, 0.05)
    assert (found.value, found.num_seeds) == (pytest.approx(0.7225), 4)
    assert found.low is not None
    t = (found.value - found.low) / (found.sd / 2)
    assert integrate.quad(lambda x: float(stats.t.pdf(x, 3)), -t, t)[0] == pytest.approx(0.95, abs=1e-9)
