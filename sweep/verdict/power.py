"""How probably so many seeds decide: the exact power of paired t-tests and of two one-sided tests.

All integrate over the distribution of the estimated standard deviation, which the tests of one pair share. Given that
estimate the mean is normal, so that this is the direct integration of the bivariate noncentral t distribution, which
Owen's Q (1965) writes as a function. statsmodels has the normal approximation alone.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, lgamma, log, sqrt
from typing import Literal

import numpy as np
from scipy.special import ndtr, stdtrit

from sweep.verdict.tables import Floats

Sides = Literal[1, 2]
WIDTH = 10.0
"""Standard deviations around the mean of the estimate; what lies further out has less than 1e-15."""
NUM_PANELS = 40
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def difference_power(effect: float, sd: float, num_seeds: int, alpha: float, sides: Sides = 2) -> float:
    """The probability that the t-test of a mean of 0 rejects at level alpha, where the mean is `effect`.

    `sd` is that of the differences, in the units of the effect. One-sided, the alternative is a mean above 0.
    """
    df, shift = num_seeds - 1, effect * sqrt(num_seeds) / sd
    bound = quantile(alpha / sides, df)
    upper = _over_estimates(lambda x: ndtr(shift - bound * x), df, inf)
    return upper if sides == 1 else upper + _over_estimates(lambda x: ndtr(-bound * x - shift), df, inf)


def equivalence_power(effect: float, sd: float, margin: float, num_seeds: int, alpha: float) -> float:
    """The probability that two one-sided tests at level alpha find a mean of `effect` within ± margin.

    Phillips (1990); `margin` and `sd` (of the differences) in the units of the effect.
    """
    return interval_power(effect, sd / sqrt(num_seeds), margin, num_seeds - 1, alpha)


def interval_power(effect: float, error: float, margin: float, df: float, alpha: float) -> float:
    """The same from the standard error of the estimated effect and the degrees of freedom of the estimate."""
    bound = quantile(alpha, df)
    low, high = (-margin - effect) / error, (margin - effect) / error

    def inside(x: Floats) -> Floats:
        return ndtr(high - bound * x) - ndtr(low + bound * x)

    return _over_estimates(inside, df, (high - low) / 2 / bound)


def quantile(alpha: float, df: float) -> float:
    """What a t statistic exceeds with this probability."""
    return -float(stdtrit(df, alpha))


def _over_estimates(function: Callable[[Floats], Floats], df: float, limit: float) -> float:
    """The integral of the function over the estimated deviation, as a share of the true one, from 0 to the limit.

    Gauss and Legendre's rule on panels: the functions here are smooth, and the tests hold it to 1e-9.
    """
    spread = WIDTH / sqrt(2 * df)
    low, high = max(0.0, 1 - spread), min(limit, 1 + spread)
    if high <= low:
        return 0.0
    edges = np.linspace(low, high, NUM_PANELS + 1)
    half = (high - low) / NUM_PANELS / 2
    x = ((edges[:-1] + half)[:, None] + half * NODES).ravel()
    log_density = log(2) + df / 2 * log(df / 2) - lgamma(df / 2) + (df - 1) * np.log(x) - df * x * x / 2
    weights = np.tile(half * WEIGHTS, NUM_PANELS)
    return float(np.sum(weights * function(x) * np.exp(log_density)))
