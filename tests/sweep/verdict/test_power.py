"""Power against the published examples of PowerTOST and TOSTER, Owen's Q and simulation."""

from __future__ import annotations

from math import exp, inf, lgamma, log, sqrt

import numpy as np
import pytest
from scipy import integrate, stats

from sweep.verdict.power import difference_power, equivalence_power, interval_power


def owens_q(df: float, t: float, delta: float, high: float) -> float:
    """Owen's Q from 0 to `high`, from its definition (Owen 1965, equation 2.1)."""

    def integrand(x: float) -> float:
        log_weight = (df - 1) * log(x) - x * x / 2 - (df / 2 - 1) * log(2) - lgamma(df / 2)
        return float(stats.norm.cdf(t * x / sqrt(df) - delta)) * exp(log_weight)

    return float(integrate.quad(integrand, 0, high, epsabs=1e-14, limit=500)[0])


def test_owens_q_as_in_the_manual_of_powertost() -> None:
    """`OwensQ(10, 2.5, 5, 0, 2)` and `OwensQ(10, -2.5, -5, 0, 2)`"""
    assert owens_q(10, 2.5, 5, 2) == pytest.approx(9.388137e-06, abs=5e-13)
    assert owens_q(10, -2.5, -5, 2) == pytest.approx(0.05264363, abs=5e-9)


@pytest.mark.parametrize(
    ("cv", "ratio", "limit", "error_factor", "df", "power"),
    [
        (0.25, 0.95, 1.25, sqrt(2 / 24), 22, 0.7391155),  # power.TOST(CV = 0.25, n = 24)
        (0.25, 0.95, 1.25, sqrt(2 / 22), 20, 0.6953401),  # power.TOST(CV = 0.25, n = 22)
        (0.25, 0.95, 1.25, sqrt((1 / 10 + 1 / 12) / 2), 20, 0.6912935),  # power.TOST(CV = 0.25, n = c(10, 12))
        (0.35, 0.95, 1.25, sqrt(1 / 52 + 1 / 49), 99, 0.8011186),  # n = c(52, 49), design = "parallel"
        (0.30, 0.95, 1.25, sqrt(2 / 40), 38, 0.815845),  # sampleN.TOST(CV = 0.3)
        (0.20, 0.95, 1.25, sqrt(2 / 20), 18, 0.834680),  # sampleN.TOST(CV = 0.20)
        (0.40, 0.90, 1 / 0.75, sqrt(1 / 30), 86, 0.822929),  # theta1 = 0.75, design = "2x2x4"
        (0.125, 0.975, 1 / 0.9, sqrt(2 / 32), 30, 0.800218),  # theta1 = 0.90
        (0.45, 0.90, 1.25, sqrt(1.5 / 124), 245, 0.800125),  # design = "2x2x3"
    ],
)
def test_examples_of_powertost(
    cv: float, ratio: float, limit: float, error_factor: float, df: int, power: float
) -> None:
    """Log ratios within ± log(limit); the coefficient of variation `cv` gives their standard deviation."""
    error = sqrt(log(1 + cv**2)) * error_factor
    assert interval_power(log(ratio), error, log(limit), df, 0.05) == pytest.approx(power, abs=1e-6)


@pytest.mark.parametrize(("size", "power"), [(8, 0.28871), (15, 0.69339), (30, 0.94326), (50, 0.99458)])
def test_examples_of_toster(size: int, power: float) -> None:
    """`power_t_TOST(n, delta = -4, sd = 18, eqb = 19.2, alpha = 0.05, type = "two.sample")`"""
    assert interval_power(-4, 18 * sqrt(2 / size), 19.2, 2 * size - 2, 0.05) == pytest.approx(power, abs=5e-6)


def test_one_side_as_in_the_manual_of_powertost() -> None:
    """`power.noninf(CV = 0.3, n = 40)`: 38 degrees of freedom, and a standard error of sd * sqrt(2 / 40)."""
    sd = sqrt(log(1 + 0.3**2)) * sqrt(2 / 40) * sqrt(39)
    assert difference_power(log(0.95 / 0.8), sd, 39, 0.025, sides=1) == pytest.approx(0.7228685, abs=1e-7)


@pytest.mark.parametrize(
    ("effect", "sd", "margin", "num"), [(0.0, 0.01, 0.02, 3), (0.01, 0.02, 0.02, 5), (0.004, 0.03, 0.02, 40)]
)
def test_equivalence_by_owens_q(effect: float, sd: float, margin: float, num: int) -> None:
    """Phillips (1990): the difference of two Q functions."""
    quantile, error = float(stats.t.isf(0.05, num - 1)), sd / sqrt(num)
    low, high = (effect + margin) / error, (effect - margin) / error
    limit = (low - high) * sqrt(num - 1) / (2 * quantile)
    expected = owens_q(num - 1, -quantile, high, limit) - owens_q(num - 1, quantile, low, limit)
    assert equivalence_power(effect, sd, margin, num, 0.05) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("effect", "num"), [(0.0, 4), (0.5, 3), (1.0, 6), (-1.0, 6), (0.3, 60)])
def test_a_difference_by_the_noncentral_t(effect: float, num: int) -> None:
    quantile = float(stats.t.isf(0.025, num - 1))
    shift = effect * sqrt(num)
    expected = stats.nct.sf(quantile, num - 1, shift) + stats.nct.cdf(-quantile, num - 1, shift)
    assert difference_power(effect, 1.0, num, 0.05) == pytest.approx(float(expected), abs=1e-8)


def test_at_no_effect_the_power_is_the_level() -> None:
    assert difference_power(0.0, 0.3, 5, 0.05) == pytest.approx(0.05, abs=1e-9)
    assert difference_power(0.0, 0.3, 5, 0.05, sides=1) == pytest.approx(0.05, abs=1e-9)


def test_at_the_margin_the_power_is_at_most_the_level() -> None:
    assert equivalence_power(0.02, 0.01, 0.02, 50, 0.05) == pytest.approx(0.05, abs=1e-6)
    assert equivalence_power(0.02, 0.1, 0.02, 4, 0.05) < 0.05


def test_equivalence_by_simulation() -> None:
    draws = np.random.default_rng(0).normal(0.01, 0.02, (200_000, 5))
    half = stats.t.isf(0.05, 4) * draws.std(axis=1, ddof=1) / sqrt(5)
    share = float(np.mean(np.abs(draws.mean(axis=1)) + half < 0.03))
    assert equivalence_power(0.01, 0.02, 0.03, 5, 0.05) == pytest.approx(share, abs=4 * sqrt(0.25 / 200_000))


def test_a_hopeless_margin_has_no_power() -> None:
    assert equivalence_power(0.0, 1.0, 1e-3, 2, 0.05) < 1e-6
    assert interval_power(0.0, 1.0, inf, 3, 0.05) == pytest.approx(1.0)
