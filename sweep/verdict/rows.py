"""Two students compared on the rows of one test split, for sweeps with a single seed.

It speaks of these two students alone: rows say nothing of how another seed would train. So it can say that two
students differ, and never that two strategies are equivalent.

N rows, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.verdict.tables import Floats

NUM_RESAMPLES = 10_000
NUM_BLEU = 1000
"""As many as the field uses for BLEU; each one computes two corpus scores."""


@dataclass(frozen=True)
class RowDifference:
    """The score of one student minus that of another on the same rows."""

    first: str
    second: str
    value: float
    low: float | None
    """Of the percentile interval of level 1 - alpha; None for BLEU, whose test gives none."""
    high: float | None
    p: float
    """Two-sided, by approximate randomisation."""
    num_rows: int
    p_adjusted: float | None = None
    """By Holm over the comparisons of one question."""


def compare_rows(names: tuple[str, str], first_N: Floats, second_N: Floats, alpha: float) -> RowDifference:
    """Compares a metric that is the mean over the rows: a paired bootstrap of the rows for the interval (Efron and
    Tibshirani 1993), and random signs of their differences for the p-value (Noreen 1989). The draws are fixed.
    """
    random, num = np.random.default_rng(0), len(first_N)
    values, counts = np.unique(first_N - second_N, return_counts=True)
    mean = float(values @ counts) / num
    means_R = random.multinomial(num, counts / num, NUM_RESAMPLES) @ values / num
    signs_R = (2 * random.binomial(counts, 0.5, (NUM_RESAMPLES, len(values))) - counts) @ values / num
    # A resample that ties with the data counts, within rounding; so does the data itself.
    num_beyond = int(np.sum(np.abs(signs_R) >= abs(mean) * (1 - 1e-9)))
    low, high = np.quantile(means_R, [alpha / 2, 1 - alpha / 2])
    return RowDifference(*names, mean, float(low), float(high), (num_beyond + 1) / (NUM_RESAMPLES + 1), num)


def compare_bleu(
    names: tuple[str, str], first: Sequence[str], second: Sequence[str], references: Sequence[Sequence[str]]
) -> RowDifference:
    """Compares corpus BLEU by sacreBLEU's own approximate randomisation; rows may differ in their references."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.significance import PairedTest

    most = max(map(len, references))
    streams: Any = [[refs[i] if i < len(refs) else None for refs in references] for i in range(most)]
    systems: list[tuple[str, Sequence[str]]] = [(names[1], list(second)), (names[0], list(first))]
    tested: Any = PairedTest(systems, {"BLEU": BLEU()}, streams, test_type="ar", n_samples=NUM_BLEU)()
    baseline, other = tested[1]["BLEU"]
    value = other.score - baseline.score
    # sacreBLEU counts only draws beyond the data, so that equal scores would get the smallest p-value of all.
    return RowDifference(*names, value, None, None, other.p_value if value else 1.0, len(first))
