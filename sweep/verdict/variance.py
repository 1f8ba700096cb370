"""Where the variance of the scores comes from: strategy, init, model, task, seed, and the rest.

N cells, R draws. The scores are shares of the way from chance to the teacher, so that models and tasks have one scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweep.verdict.paired import varies
from sweep.verdict.tables import Floats

FACTORS = ("strategy", "init", "model", "task", "axes", "seed")
RESIDUAL = "rest"
NUM_DRAWS = 1000


@dataclass(frozen=True)
class Component:
    """The share of the variance that a factor has, with its interval; the shares of all components are 1 in sum."""

    name: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Variance:
    """The components that can be told apart; `missing` says of each other factor why it cannot be estimated."""

    components: tuple[Component, ...]
    missing: dict[str, str]


def variance(results: pd.DataFrame, score: str, alpha: float) -> Variance:
    """Components of variance of a model of main effects; interactions count as the rest.

    Each factor's mean square beyond the other factors, minus the residual one, over its coefficient (Henderson's third
    method, 1953), and 0 where that is negative. It needs no balanced design; in a balanced one it is the classical
    analysis of variance. The intervals are parametric bootstrap percentiles: effects and residuals are drawn anew from
    normal distributions with the estimated variances, 1,000 times with fixed draws. A factor with few levels has a
    wide one.
    """
    known = results[np.isfinite(results[score].astype(float))]
    codes, missing = _codes(known)
    values_N = known[score].to_numpy(dtype=np.float64)
    if not varies(values_N, float(np.max(np.abs(values_N), initial=0.0))):
        return Variance((), missing)
    fits = _Fits(codes, len(known))
    for name in [name for name in codes if fits.df[name] == 0]:
        missing[name] = "not told from the other factors"
        del codes[name]
    if fits.df_residual <= 0 or not codes:
        return Variance((), missing)
    fits = _Fits(codes, len(known))
    estimates = fits.components(values_N[:, None])[:, 0]
    drawn = fits.components(_drawn(codes, estimates, len(known)))
    totals = drawn.sum(axis=0)
    shares_R = drawn[:, totals > 0] / totals[totals > 0]
    low, high = np.quantile(shares_R, [alpha / 2, 1 - alpha / 2], axis=1)
    shares = estimates / estimates.sum()
    names = [*codes, RESIDUAL]
    return Variance(tuple(map(Component, names, shares.tolist(), low.tolist(), high.tolist())), missing)


class _Fits:
    """Least squares with all factors, and without each of them in turn."""

    def __init__(self, codes: Mapping[str, np.ndarray], num: int) -> None:
        indicators = {name: np.eye(int(code.max()) + 1)[code] for name, code in codes.items()}
        constant = np.ones((num, 1))
        self.full = _basis([constant, *indicators.values()])
        self.df_residual = num - self.full.shape[1]
        self.without: dict[str, Floats] = {}
        self.df: dict[str, int] = {}
        self.coefficient: dict[str, float] = {}
        for name, own in indicators.items():
            others = [each for other, each in indicators.items() if other != name]
            self.without[name] = basis = _basis([constant, *others])
            self.df[name] = self.full.shape[1] - basis.shape[1]
            left = float(np.sum(own**2) - np.sum((basis.T @ own) ** 2))
            self.coefficient[name] = left / self.df[name] if self.df[name] else 0.0

    def components(self, values_NR: Floats) -> Floats:
        """The variance of each factor, then of the rest: [factors + 1, R]."""
        explained_R = np.sum((self.full.T @ values_NR) ** 2, axis=0)
        residual_R = (np.sum(values_NR**2, axis=0) - explained_R) / self.df_residual
        parts = [
            ((explained_R - np.sum((basis.T @ values_NR) ** 2, axis=0)) / self.df[name] - residual_R)
            / self.coefficient[name]
            for name, basis in self.without.items()
        ]
        return np.maximum(0.0, np.array([*parts, residual_R]))


def _codes(results: pd.DataFrame) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Factor -> the level of each cell as a number, and why the others have none. Factors that group the cells alike
    are one: `model and task`."""
    codes: dict[str, np.ndarray] = {}
    missing: dict[str, str] = {}
    for name in FACTORS:
        code = pd.factorize(results[name])[0]
        alike = next((other for other, known in codes.items() if np.array_equal(known, code)), None)
        if len(results) == 0 or code.max() == 0:
            missing[name] = "one level"
        elif alike:
            codes = {f"{key} and {name}" if key == alike else key: value for key, value in codes.items()}
        else:
            codes[name] = code
    return codes, missing


def _basis(parts: list[Floats]) -> Floats:
    """An orthonormal basis of what the columns span."""
    columns_NK = np.hstack(parts)
    # Of the K x K products, since there are far more cells N than levels K. Indicators are well conditioned.
    squares_K, right_KK = np.linalg.eigh(columns_NK.T @ columns_NK)
    kept_K = squares_K > 1e-9 * squares_K[-1]
    return columns_NK @ (right_KK[:, kept_K] / np.sqrt(squares_K[kept_K]))


def _drawn(codes: Mapping[str, np.ndarray], variances: Floats, num: int) -> Floats:
    """New scores from the estimated variances: [N, R]."""
    random = np.random.default_rng(0)
    values_NR = random.normal(0, variances[-1] ** 0.5, (num, NUM_DRAWS))
    for code, size in zip(codes.values(), variances[:-1], strict=True):
        values_NR += random.normal(0, size**0.5, (int(code.max()) + 1, NUM_DRAWS))[code]
    return values_NR
