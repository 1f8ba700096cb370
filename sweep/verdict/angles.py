"""Whether strategies differ less where more angles are acute, which is the paper's explanation. B comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

import numpy as np
from scipy.special import ndtri

LEAST = 5
"""With fewer comparisons the interval says nothing."""


@dataclass(frozen=True)
class Relation:
    """The rank correlation of the share of acute angles and the spread of the strategies, over comparisons."""

    correlation: float
    low: float
    high: float
    num: int


def relation(acute_B: Sequence[float], spread_B: Sequence[float], alpha: float) -> Relation | None:
    """Spearman's correlation with the interval of Fieller, Hartley and Pearson (1957), by Fisher's transformation with
    variance 1.06 / (B - 3). None for fewer than five comparisons, or where one side does not vary.
    """
    if len(acute_B) < LEAST or np.ptp(acute_B) == 0 or np.ptp(spread_B) == 0:
        return None
    from scipy.stats import rankdata  # loads slowly, and only this needs it

    ranks = rankdata(acute_B), rankdata(spread_B)
    correlation = float(np.clip(np.corrcoef(*ranks)[0, 1], -1, 1))
    if abs(correlation) > 1 - 1e-12:
        return Relation(correlation, correlation, correlation, len(acute_B))
    half = -float(ndtri(alpha / 2)) * sqrt(1.06 / (len(acute_B) - 3))
    centre = atanh(correlation)
    return Relation(correlation, tanh(centre - half), tanh(centre + half), len(acute_B))
