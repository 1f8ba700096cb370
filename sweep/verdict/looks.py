"""Levels for tests that are repeated while seeds are added, so that stopping early makes no more errors.

A test at 5% after each new seed finds a difference that is none far more often than in 5%. Here each look spends a part
of alpha (Lan and DeMets 1983), and what all looks spend together is alpha.

K looks, P made paths, S seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import e, log, sqrt
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import ndtr, ndtri

from sweep.verdict.power import Sides
from sweep.verdict.tables import Floats

Spending = Literal["obrien_fleming", "pocock"]
NUM_PATHS = 200_000
LEAST_PATHS = 40
"""A look that may stop fewer made paths than these is not calibrated: its level is its own part of alpha."""


def spent(share: float, alpha: float, spending: Spending) -> float:
    """How much of alpha one side has spent when this share of the seeds is there (Lan and DeMets 1983).

    `obrien_fleming` spends little at first, so that the last look is nearly a test at alpha; `pocock` spends evenly.
    """
    if spending == "pocock":
        return alpha * log(1 + (e - 1) * share)
    return 2 * float(ndtr(float(ndtri(alpha / 2)) / sqrt(share)))


@lru_cache(maxsize=1024)
def look_levels(
    looks: tuple[int, ...], alpha: float, sides: Sides, dims: int = 1, spending: Spending = "pocock"
) -> Floats:
    """The level of a test at each look, after so many seeds: [K]. A p-value at or below it ends the sweep.

    The test is a paired t-test or, with `dims` above 1, the F test of so many contrasts of a table. The joint
    distribution of the statistics of the looks does not depend on the spread of the differences, so that the bounds are
    calibrated on 200,000 made paths (the draws are fixed): they hold for few seeds, where the usual bounds of the
    normal distribution do not. For two one-sided tests take `sides` 1 for each; with the mean at the margin only one of
    them can fail. Looks ascend, the first at two seeds or more. A level does not depend on the looks after it but for
    the last one, which says when all is spent.
    """
    values_PK = _statistics(looks, sides, dims)
    going_P = np.ones(len(values_PK), dtype=bool)
    levels: list[float] = []
    for index, num in enumerate(looks):
        before = sides * spent(looks[index - 1] / looks[-1], alpha / sides, spending) if index else 0.0
        allowed = sides * spent(num / looks[-1], alpha / sides, spending)
        num_allowed = int(allowed * NUM_PATHS) - int(np.sum(~going_P))
        if index == 0 or num_allowed < LEAST_PATHS:
            level = allowed - before  # no more than this stops at this look, whatever the other looks do
            bound = _quantile(level, num, sides, dims)
        else:
            bound = _bound(values_PK[going_P, index], num_allowed)
            level = _level(bound, num, sides, dims)
        going_P &= values_PK[:, index] <= bound
        levels.append(level)
    return np.array(levels)


def _bound(values: Floats, num_allowed: int) -> float:
    """What at most so many of the values exceed."""
    return float(np.partition(values, len(values) - num_allowed - 1)[len(values) - num_allowed - 1])


def _quantile(level: float, num: int, sides: Sides, dims: int) -> float:
    """What the statistic of a look with so many seeds exceeds with this probability."""
    return float(stats.t.isf(level, num - 1) if sides == 1 else stats.f.isf(level, dims, dims * (num - 1)))


def _level(bound: float, num: int, sides: Sides, dims: int) -> float:
    return float(stats.t.sf(bound, num - 1) if sides == 1 else stats.f.sf(bound, dims, dims * (num - 1)))


@lru_cache(maxsize=8)
def _statistics(looks: tuple[int, ...], sides: Sides, dims: int) -> Floats:
    """Of each look of made paths without an effect, t if one-sided and F otherwise: [P, K].

    Each seed has draws of its own, so that a path begins alike whatever its length.
    """
    random, num_K = np.random.default_rng(0), np.array(looks)
    if sides == 1:
        return path_statistics(random.normal(size=(looks[-1], NUM_PATHS)).T, looks)
    explained_PK, left_PK = (np.zeros((NUM_PATHS, len(looks))) for _ in range(2))
    for _ in range(dims):
        sums_PK, squares_PK = _sums(random.normal(size=(looks[-1], NUM_PATHS)).T, looks)
        explained_PK += sums_PK**2 / num_K
        left_PK += squares_PK - sums_PK**2 / num_K
    return explained_PK * (num_K - 1) / left_PK


def path_statistics(values_PS: Floats, looks: Sequence[int]) -> Floats:
    """The t statistic of a mean of 0 from the first seeds of each path, one per look: [P, K]."""
    num_K = np.array(looks)
    sums_PK, squares_PK = _sums(values_PS, looks)
    variances_PK = (squares_PK - sums_PK**2 / num_K) / (num_K - 1)
    return sums_PK / np.sqrt(variances_PK * num_K)


def _sums(values_PS: Floats, looks: Sequence[int]) -> tuple[Floats, Floats]:
    """The sums of the values and of their squares up to each look: [P, K] each."""
    ends_K = np.array(looks) - 1
    return np.cumsum(values_PS, axis=1)[:, ends_K], np.cumsum(values_PS**2, axis=1)[:, ends_K]
