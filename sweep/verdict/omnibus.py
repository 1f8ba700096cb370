"""One test for all strategies together: the analysis of variance of a paired table.

S seeds, K strategies. A seed's mean is removed from its row, so that the residual is that of strategies within seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from sweep.verdict.paired import varies
from sweep.verdict.tables import Floats


@dataclass(frozen=True)
class Omnibus:
    """The F test of a table; None where the residual does not vary."""

    f: float
    df: tuple[float, float]
    """Degrees of freedom: strategies, residual."""
    epsilon: float
    """Greenhouse and Geisser's correction of both: 1 where all differences of strategies vary alike."""
    residual_sd: float
    """Of one score after strategy and seed. The difference of two scores has sqrt 2 times this."""
    p_different: float
    """Of equal means, with the corrected degrees of freedom."""
    p_equivalent: float | None
    """Of means as far apart as the margin, with the margin in residual standard deviations; None without a margin."""


def omnibus(scores_SK: Floats, margin: float | None) -> Omnibus | None:
    """Tests all strategies of a table at once; None for fewer than two seeds or strategies, or without any residual.

    `p_different` is the repeated-measures F test with the correction of Greenhouse and Geisser (1959), since strategies
    may vary unlike each other. `p_equivalent` is Wellek's F test of equivalence (2010, chapter 7), by the noncentral F
    distribution: means that lie within the margin of each other have squared deviations of at most margin² / 2 in sum
    where two of them are the margin apart and the others lie between, so that the test is of that sum. It divides the
    margin by an estimated deviation and assumes equal variances, so it decides nothing: the decision is by the pairs.
    """
    num_seeds, num = scores_SK.shape
    if num_seeds < 2 or num < 2:
        return None
    centred_SK = scores_SK - scores_SK.mean(axis=1, keepdims=True)
    means_K = centred_SK.mean(axis=0)
    residual_SK = centred_SK - means_K
    if not varies(residual_SK.ravel(), float(np.max(np.abs(scores_SK)))):
        return None
    df = num - 1, (num - 1) * (num_seeds - 1)
    variance = float(np.sum(residual_SK**2)) / df[1]
    f = num_seeds * float(np.sum(means_K**2)) / df[0] / variance
    epsilon = _epsilon(residual_SK)
    return Omnibus(
        f=f,
        df=df,
        epsilon=epsilon,
        residual_sd=variance**0.5,
        p_different=float(fdtrc(epsilon * df[0], epsilon * df[1], f)),
        p_equivalent=None if margin is None else _p_equivalent(f, num, num_seeds, margin, variance),
    )


def _epsilon(residual_SK: Floats) -> float:
    """Greenhouse and Geisser's epsilon: tr(C)² / ((K - 1) tr(C²)) of the doubly centred covariance C."""
    covariance_KK = residual_SK.T @ residual_SK
    return float(np.trace(covariance_KK) ** 2 / ((len(covariance_KK) - 1) * np.sum(covariance_KK**2)))


def _p_equivalent(f: float, num: int, num_seeds: int, margin: float, variance: float) -> float:
    from statsmodels.stats.oneway import equivalence_oneway_generic  # loads slowly, and only a verdict needs it

    cohens_f_squared = margin**2 / 2 / num / variance
    df = num - 1, (num - 1) * (num_seeds - 1)
    sizes = np.full(num, num_seeds)
    return float(equivalence_oneway_generic(f, num, sizes, cohens_f_squared, df, margin_type="f2").pvalue)
