"""Repeated looks: published bounds, and error rates on paths that the bounds were not made of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sweep.verdict.looks import NUM_PATHS, Spending, look_levels, path_statistics, spent
from sweep.verdict.power import Sides

LOOKS = (3, 4, 5, 6, 8, 10, 13, 16, 20)
OBRIEN_FLEMING = (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)
POCOCK = (2.4380, 2.4268, 2.4101, 2.3966, 2.3859)
"""Two-sided bounds at 5% of five equal looks, as ldbounds gives them; the next test proves them."""


def normal_spending(bounds: tuple[float, ...]) -> list[float]:
    """What each look of normal statistics has spent, by integration of the multivariate normal distribution."""
    shares = np.arange(1, 6) / 5
    covariance = np.sqrt(np.minimum.outer(shares, shares) / np.maximum.outer(shares, shares))
    stays = [
        stats.multivariate_normal.cdf(
            bounds[:num], cov=covariance[:num, :num], lower_limit=[-each for each in bounds[:num]], rng=0
        )
        for num in range(1, 6)
    ]
    return [1 - float(stay) for stay in stays]


@pytest.mark.parametrize(("bounds", "spending"), [(OBRIEN_FLEMING, "obrien_fleming"), (POCOCK, "pocock")])
def test_published_bounds_spend_what_the_function_says(bounds: tuple[float, ...], spending: Spending) -> None:
    expected = [2 * spent(look / 5, 0.025, spending) for look in range(1, 6)]
    assert normal_spending(bounds) == pytest.approx(expected, abs=2e-5)
    assert expected[-1] == pytest.approx(0.05)


@pytest.mark.parametrize(("bounds", "spending"), [(OBRIEN_FLEMING, "obrien_fleming"), (POCOCK, "pocock")])
def test_with_many_seeds_the_bounds_are_the_published_ones(bounds: tuple[float, ...], spending: Spending) -> None:
    """To what a share of 200,000 paths lets one know; the first look of O'Brien and Fleming is exact."""
    looks = (24, 48, 72, 96, 120)
    levels = look_levels(looks, 0.05, 2, spending=spending)
    expected = [2 * float(stats.norm.sf(bound)) for bound in bounds]
    for level, nominal in zip(levels, expected, strict=True):
        assert level == pytest.approx(nominal, abs=4 * (nominal / NUM_PATHS) ** 0.5 + 0.06 * nominal)


def fresh_rate(sides: Sides, spending: Spending, levels: np.ndarray | None = None) -> float:
    """How often paths without an effect are stopped at any look."""
    t = path_statistics(np.random.default_rng(11).normal(size=(100_000, LOOKS[-1])), LOOKS)
    df = np.array(LOOKS) - 1
    p = 2 * stats.t.sf(np.abs(t), df) if sides == 2 else stats.t.sf(t, df)
    limit = look_levels(LOOKS, 0.05, sides, spending=spending) if levels is None else levels
    return float(np.mean(np.any(p <= limit, axis=1)))


@pytest.mark.parametrize("spending", ["obrien_fleming", "pocock"])
@pytest.mark.parametrize("sides", [1, 2])
def test_all_looks_together_err_as_often_as_one_test(sides: Sides, spending: Spending) -> None:
    error = (0.05 * 0.95) ** 0.5 * (1 / 100_000 + 1 / NUM_PATHS) ** 0.5
    assert fresh_rate(sides, spending) == pytest.approx(0.05, abs=2.6 * error)


def test_looks_at_the_full_level_err_far_more_often() -> None:
    assert fresh_rate(2, "pocock", np.full(len(LOOKS), 0.05)) > 0.13


def test_the_first_look_is_exact() -> None:
    levels = look_levels(LOOKS, 0.05, 2)
    assert levels[0] == pytest.approx(spent(3 / 20, 0.05, "pocock"))


@pytest.mark.parametrize("dims", [2, 5])
def test_the_looks_of_an_f_test_err_as_often_as_one(dims: int) -> None:
    """Means of several contrasts against their common variance: the F test of so many strategies and one more."""
    looks, num = (3, 4, 6, 8), 40_000
    draws = np.random.default_rng(12).normal(size=(num, looks[-1], dims))
    is_stopped = np.zeros(num, dtype=bool)
    for look, level in zip(looks, look_levels(looks, 0.05, 2, dims), strict=True):
        between = look * np.sum(draws[:, :look].mean(axis=1) ** 2, axis=1) / dims
        within = np.sum(draws[:, :look].var(axis=1, ddof=1), axis=1) / dims
        is_stopped |= stats.f.sf(between / within, dims, dims * (look - 1)) <= level
    error = (0.05 * 0.95) ** 0.5 * (1 / num + 1 / NUM_PATHS) ** 0.5
    assert np.mean(is_stopped) == pytest.approx(0.05, abs=2.6 * error)


def test_a_level_does_not_depend_on_the_looks_after_it() -> None:
    first, second = look_levels((3, 5, 8, 20), 0.05, 2), look_levels((3, 5, 12, 20), 0.05, 2)
    assert first[:2] == pytest.approx(second[:2], rel=1e-12)


@pytest.mark.parametrize("alpha", [1e-5, 1e-3, 0.01])
def test_a_part_of_alpha_too_small_for_the_paths_is_spent_without_them(alpha: float) -> None:
    """Never less than each look's own part, with which no more than alpha could be spent whatever the looks share."""
    levels = look_levels(LOOKS, alpha, 2)
    parts = np.diff([0.0, *(spent(look / 20, alpha, "pocock") for look in LOOKS)])
    assert np.all(levels >= parts * 0.7)
    assert alpha * 0.999 <= levels.sum() < 3 * alpha
    if alpha == 1e-5:
        assert levels == pytest.approx(parts)
