"""Levels for tests that are repeated while seeds are added, so that stopping early makes no more errors.

A test at 5% after each new seed finds a difference that is none far more often than in 5%. Here each look spends a part
of alpha (Lan and DeMets 1983), and what all looks spend together is alpha.

K looks, P made paths, S seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import e, log, sqrt
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri, stdtr

from sweep.verdict.power import Sides, quantile
from sweep.verdict.tables import Floats

Spending = Literal["obrien_fleming", "pocock"]
NUM_PATHS = 200_000
LEAST_PATHS = 40
"""A look that may stop fewer made paths than these never stops; it leaves what it could have spent to the next."""


def spent(share: float, alpha: float, spending: Spending) -> float:
    """How much of alpha one side has spent when this share of the seeds is there (Lan and DeMets 1983).

    `obrien_fleming` spends little at first, so that the last look is nearly a test at alpha; `pocock` spends evenly.
    """
    if spending == "pocock":
        return alpha * log(1 + (e - 1) * share)
    return 2 * float(ndtr(float(ndtri(alpha / 2)) / sqrt(share)))


@cache
def look_levels(looks: tuple[int, ...], alpha: float, sides: Sides, spending: Spending = "obrien_fleming") -> Floats:
    """The level of a paired t-test at each look, after so many seeds: [K]. A p-value at or below it ends the sweep.

    The joint distribution of the t statistics of the looks does not depend on the spread of the differences, so that
    the bounds are calibrated on 200,000 made paths (the draws are fixed): they hold for few seeds, where the usual
    bounds of the normal distribution do not. For two one-sided tests take `sides` 1 for each; with the mean at the
    margin only one of them can fail. Looks ascend, the first at two seeds or more.
    """
    t_PK = _statistics(looks)
    values_PK = np.abs(t_PK) if sides == 2 else t_PK
    going_P = np.ones(len(values_PK), dtype=bool)
    levels: list[float] = []
    for index, num in enumerate(looks):
        allowed = sides * spent(num / looks[-1], alpha / sides, spending)
        if index == 0:
            bound = quantile(allowed / sides, num - 1)
        else:
            bound = _bound(values_PK[going_P, index], int(allowed * NUM_PATHS) - int(np.sum(~going_P)))
        going_P &= values_PK[:, index] <= bound
        levels.append(sides * float(stdtr(num - 1, -bound)))
    return np.array(levels)


def _bound(values: Floats, num_allowed: int) -> float:
    """What at most so many of the values exceed."""
    if num_allowed < LEAST_PATHS:
        return np.inf
    return float(np.partition(values, len(values) - num_allowed - 1)[len(values) - num_allowed - 1])


def _statistics(looks: tuple[int, ...]) -> Floats:
    """The t statistics at each look of made paths without an effect: [P, K]."""
    draws_PS = np.random.default_rng(0).normal(size=(NUM_PATHS, looks[-1]))
    return path_statistics(draws_PS, looks)


def path_statistics(values_PS: Floats, looks: Sequence[int]) -> Floats:
    """The t statistic of a mean of 0 from the first seeds of each path, one per look: [P, K]."""
    num_K = np.array(looks)
    sums_PK = np.cumsum(values_PS, axis=1)[:, num_K - 1]
    squares_PK = np.cumsum(values_PS**2, axis=1)[:, num_K - 1]
    variances_PK = (squares_PK - sums_PK**2 / num_K) / (num_K - 1)
    return sums_PK / np.sqrt(variances_PK * num_K)
