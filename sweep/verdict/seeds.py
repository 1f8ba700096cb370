"""How many more seeds would probably decide a question, with the differences and deviations seen so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import fdtri, ncfdtr

from sweep.verdict.margin import Margin
from sweep.verdict.omnibus import Omnibus
from sweep.verdict.paired import Difference
from sweep.verdict.power import difference_power, equivalence_power
from sweep.verdict.tables import PairedTable

PROBABLY = 0.8
MOST = 1000


def more_seeds(
    differences: Sequence[Difference],
    table: PairedTable,
    margin: Margin,
    omnibus: Omnibus | None,
    level: float,
    equivalence_level: float,
) -> int | None:
    """The fewest seeds beyond those of the table with which a verdict has a probability of 80%; None above 1,000.

    The differences and deviations so far are taken as the true ones, which makes it a plan and no promise.
    """
    num_now = len(table.seeds)

    def is_enough(num: int) -> bool:
        if _difference_probability(differences, omnibus, num_now, num, level) >= PROBABLY:
            return True
        return (margin.value is not None and equivalence_level > 0) and (
            _equivalence_probability(differences, table, margin, num, equivalence_level) >= PROBABLY
        )

    if not is_enough(MOST):
        return None
    low, high = num_now, MOST  # the first is not known to be enough, the second is
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high - num_now


def _difference_probability(
    differences: Sequence[Difference], omnibus: Omnibus | None, num_now: int, num: int, level: float
) -> float:
    """That the omnibus test rejects or, without one, the test of the clearest difference after Bonferroni."""
    if omnibus:
        df = _corrected(omnibus, num)
        shift = max(0.0, omnibus.f - 1) * omnibus.df[0] * num / num_now
        return 1 - float(ncfdtr(*df, omnibus.epsilon * shift, fdtri(*df, 1 - level)))
    known = [each for each in differences if each.sd > 0]
    return max(difference_power(each.mean.value, each.sd, num, level / len(differences)) for each in known)


def _corrected(omnibus: Omnibus, num: int) -> tuple[float, float]:
    """The corrected degrees of freedom with so many seeds."""
    return omnibus.epsilon * omnibus.df[0], omnibus.epsilon * omnibus.df[0] * (num - 1)


def _equivalence_probability(
    differences: Sequence[Difference], table: PairedTable, margin: Margin, num: int, level: float
) -> float:
    """A lower bound of the probability that every pair is shown to be within the margin (Bonferroni's inequality)."""
    missed = 0.0
    for each in differences:
        missed += 1 - _pair_probability(each, table, margin, num, level)
        if missed > 1 - PROBABLY:
            return 0.0
    return 1 - missed


def _pair_probability(each: Difference, table: PairedTable, margin: Margin, num: int, level: float) -> float:
    assert margin.per_seed_S is not None
    assert margin.value is not None
    if each.sd == 0:
        return 0.0
    if not margin.is_relative:
        return equivalence_power(each.mean.value, each.sd, margin.value, num, level)
    difference_S = table.of(each.first) - table.of(each.second)
    missed = 0.0
    for sign in (1, -1):
        side_S = margin.per_seed_S + sign * difference_S
        error = float(np.std(side_S, ddof=1))
        missed += 1 - difference_power(float(np.mean(side_S)), error, num, level, sides=1) if error else 1.0
    return max(0.0, 1 - missed)
