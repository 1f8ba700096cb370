"""How probably so many seeds decide: the exact power of paired t-tests and of two one-sided tests.

All integrate over the distribution of the estimated standard deviation, which the tests of one pair share. Given that
estimate the mean is normal, so that this is the direct integration of the bivariate noncentral t distribution, which
Owen's Q (1965) writes as a function. statsmodels has the normal approximation alone.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erfc, sqrt
from typing import Literal

import numpy as np
from scipy import integrate, stats

Sides = Literal[1, 2]
WIDTH = 10.0
"""Standard deviations around the mean of the estimate; what lies further out has less than 1e-15."""


def difference_power(effect: float, sd: float, num_seeds: int, alpha: float, sides: Sides = 2) -> float:
    """The probability that the t-test of a mean of 0 rejects at level alpha, where the mean is `effect`.

    `sd` is that of the differences, in the units of the effect. One-sided, the alternative is a mean above 0.
    """
    df, shift = num_seeds - 1, effect * sqrt(num_seeds) / sd
    quantile = float(stats.t.isf(alpha / sides, df))
    upper = _over_estimates(lambda x: _normal(shift - quantile * x), df, np.inf)
    return upper if sides == 1 else upper + _over_estimates(lambda x: _normal(-quantile * x - shift), df, np.inf)


def equivalence_power(effect: float, sd: float, margin: float, num_seeds: int, alpha: float) -> float:
    """The probability that two one-sided tests at level alpha find a mean of `effect` within ± margin.

    Phillips (1990); `margin` and `sd` (of the differences) in the units of the effect.
    """
    return interval_power(effect, sd / sqrt(num_seeds), margin, num_seeds - 1, alpha)


def interval_power(effect: float, error: float, margin: float, df: float, alpha: float) -> float:
    """The same from the standard error of the estimated effect and the degrees of freedom of the estimate."""
    quantile = float(stats.t.isf(alpha, df))
    low, high = (-margin - effect) / error, (margin - effect) / error

    def inside(x: float) -> float:
        return _normal(high - quantile * x) - _normal(low + quantile * x)

    return _over_estimates(inside, df, (high - low) / 2 / quantile)


def _normal(x: float) -> float:
    """The standard normal distribution function."""
    return erfc(-x / sqrt(2)) / 2


def _over_estimates(function: Callable[[float], float], df: float, limit: float) -> float:
    """The integral of the function over the estimated deviation, as a share of the true one, from 0 to the limit."""
    spread = WIDTH / sqrt(2 * df)
    low, high = max(0.0, 1 - spread), min(limit, 1 + spread)
    if high <= low:
        return 0.0

    def integrand(x: float) -> float:
        return function(x) * float(stats.chi.pdf(x * sqrt(df), df)) * sqrt(df)

    return float(integrate.quad(integrand, low, high, epsabs=1e-12, epsrel=1e-10, limit=200)[0])
