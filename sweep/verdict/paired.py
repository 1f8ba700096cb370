"""Tests of paired differences over seeds.

S seeds. Every test takes one difference per seed, so that what a seed does to both sides (data order, start) cancels.
The differences are assumed to be independent and normal; their variances may differ from pair to pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import stdtr

from sweep.verdict.power import quantile
from sweep.verdict.tables import Floats

NOISE = 1e-12
"""Values that differ by less than this share of the largest are equal, and their spread is rounding."""


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its t interval; the ends are None for one value, or for values that are all equal."""

    value: float
    sd: float
    num_seeds: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """The score of one strategy minus that of another, over the seeds of both."""

    first: str
    second: str
    mean: Mean
    """With its interval of level 1 - alpha, which goes with the test of a difference. Under repeated looks alpha is the
    level of the look, so that the intervals of all looks together hold the true difference so often."""
    narrow: Mean
    """With its interval of level 1 - 2 alpha, which goes with the test of equivalence."""
    p_different: float | None
    """Two-sided paired t-test; None where no test is possible."""
    p_equivalent: float | None
    """Two one-sided tests; None without a margin too."""
    p_adjusted: float | None = None
    """`p_different` by Holm over the differences of one question."""

    @property
    def sd(self) -> float:
        """The standard deviation of the differences: sqrt 2 times that of one score's residual where these are equal
        and independent."""
        return self.mean.sd


def varies(values_S: Floats, scale: float) -> bool:
    """Whether values vary by more than rounding; `scale` is the size of the numbers that they were computed from."""
    return len(values_S) > 1 and float(np.ptp(values_S)) > NOISE * scale


def mean(values_S: Floats, alpha: float, scale: float | None = None) -> Mean:
    """The mean with its two-sided t interval of level 1 - alpha. `scale` as in `varies`."""
    num = len(values_S)
    value = float(np.mean(values_S))
    if not varies(values_S, float(np.max(np.abs(values_S))) if scale is None else scale):
        return Mean(value, 0.0, num, None, None)
    sd = float(np.std(values_S, ddof=1))
    half = quantile(alpha / 2, num - 1) * sd / num**0.5
    return Mean(value, sd, num, value - half, value + half)


def difference(
    names: tuple[str, str],
    first_S: Floats,
    second_S: Floats,
    margin_S: Floats | None,
    alpha: float,
    one_sided: float | None = None,
) -> Difference:
    """Compares two strategies at the same seeds. `margin_S` as in `equivalence`.

    `alpha` and `one_sided` (by default the same) are the levels of the tests that the two intervals go with.
    """
    scale = float(np.max(np.abs([first_S, second_S])))
    difference_S = first_S - second_S
    return Difference(
        *names,
        mean=mean(difference_S, alpha, scale),
        narrow=mean(difference_S, 2 * (one_sided or alpha), scale),
        p_different=_p(difference_S, scale, 2),
        p_equivalent=None if margin_S is None else equivalence(difference_S, margin_S, scale),
    )


def equivalence(difference_S: Floats, margin_S: Floats, scale: float) -> float | None:
    """The p-value of two one-sided paired t-tests (Schuirmann 1987); None where one of them is not possible.

    It tests that the mean difference lies outside of ± the mean margin, each side at the full level. The margin is in
    the units of the score, never in standard deviations. It has one value per seed: a fixed margin repeats one value;
    a margin that is itself a mean over the seeds (a share of a gain) has its value at each seed. Its uncertainty then
    counts too: each side tests the mean of margin ± difference, a linear contrast of the scores, so that the level is
    exact in both cases (the argument of Fieller's test of a ratio).
    """
    above, below = (_p(margin_S + sign * difference_S, scale, 1) for sign in (1, -1))
    return None if above is None or below is None else max(above, below)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusts p-values for their number by Holm's step-down rule (1979), which holds the family-wise error.

    A test that was not possible keeps its place in the family, as if it had p = 1.
    """
    num = len(p_values)
    known = [1.0 if p is None else p for p in p_values]
    order = sorted(range(num), key=known.__getitem__)
    stepped = np.maximum.accumulate([min(1.0, (num - rank) * known[index]) for rank, index in enumerate(order)])
    adjusted = dict(zip(order, stepped.tolist(), strict=True))
    return [None if p is None else adjusted[index] for index, p in enumerate(p_values)]


def with_holm(differences: Sequence[Difference]) -> list[Difference]:
    """The differences of one family with their adjusted p-values."""
    adjusted = holm([each.p_different for each in differences])
    return [replace(each, p_adjusted=p) for each, p in zip(differences, adjusted, strict=True)]


def _p(values_S: Floats, scale: float, sides: Literal[1, 2]) -> float | None:
    """The p-value of the t-test of a mean of 0; one-sided against a mean above it. None where the values are equal."""
    if not varies(values_S, scale):
        return None
    num = len(values_S)
    t = float(np.mean(values_S)) / float(np.std(values_S, ddof=1)) * num**0.5
    return sides * float(stdtr(num - 1, -t if sides == 1 else -abs(t)))
