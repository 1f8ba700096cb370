"""Components of variance against the classical analysis, made effects, and designs that cannot tell factors apart."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from sweep.verdict.variance import FACTORS, variance

ONE = dict.fromkeys(FACTORS, "x")


def design(**levels: int) -> pd.DataFrame:
    """Every combination of so many levels of each factor."""
    rows = [{**ONE, **dict(zip(levels, each, strict=True))} for each in product(*map(range, levels.values()))]
    return pd.DataFrame(rows)


def test_a_balanced_design_is_the_classical_analysis() -> None:
    """Two factors by the expected mean squares: (MS of the factor - MS of the rest) / cells per level."""
    cells = design(strategy=3, seed=4)
    scores = np.array([[1.0, 2.0, 1.5, 2.5], [2.2, 3.1, 2.4, 3.9], [0.5, 1.0, 1.1, 1.9]])
    cells["score"] = scores.ravel()
    rows, columns = scores.mean(axis=1), scores.mean(axis=0)
    rest = scores - rows[:, None] - columns + scores.mean()
    residual = np.sum(rest**2) / 6
    by_strategy = (4 * np.sum((rows - scores.mean()) ** 2) / 2 - residual) / 4
    by_seed = (3 * np.sum((columns - scores.mean()) ** 2) / 3 - residual) / 3
    found = variance(cells, "score", 0.05)
    assert [each.name for each in found.components] == ["strategy", "seed", "rest"]
    expected = np.array([by_strategy, by_seed, residual]) / (by_strategy + by_seed + residual)
    assert [each.share for each in found.components] == pytest.approx(expected.tolist())
    assert found.missing == dict.fromkeys(("init", "model", "task", "axes"), "one level")


def test_made_effects_are_found_also_where_cells_are_missing() -> None:
    random = np.random.default_rng(3)
    cells = design(strategy=12, seed=12, model=12)
    effects = {"strategy": 1.0, "seed": 2.0, "model": 3.0}
    score = random.normal(0, 0.1, len(cells))
    for name, sd in effects.items():
        drawn = random.normal(0, 1, 12)
        score += sd * ((drawn - drawn.mean()) / drawn.std(ddof=1))[cells[name].to_numpy(dtype=int)]
    cells["score"] = score
    found = variance(cells.sample(frac=0.7, random_state=0), "score", 0.05)
    assert {each.name: each.share for each in found.components} == pytest.approx(
        {"strategy": 1 / 14.01, "model": 9 / 14.01, "seed": 4 / 14.01, "rest": 0.01 / 14.01}, abs=0.005
    )
    for each in found.components:
        assert each.low <= each.share <= each.high


def test_factors_that_go_together_are_one() -> None:
    cells = design(strategy=3, model=2, seed=3)
    cells["task"] = "task " + cells["model"].astype(str)
    cells["score"] = np.random.default_rng(0).normal(size=len(cells)) + cells["model"]
    assert [each.name for each in variance(cells, "score", 0.05).components] == [
        "strategy",
        "model and task",
        "seed",
        "rest",
    ]


def test_a_factor_that_others_determine_is_said() -> None:
    cells = design(strategy=2, seed=3, model=2)
    cells["task"] = cells["seed"].astype(str) + cells["model"].astype(str)
    cells["score"] = np.random.default_rng(0).normal(size=len(cells))
    found = variance(cells, "score", 0.05)
    assert {"model", "seed"} <= found.missing.keys()
    assert found.missing["model"] == "not told from the other factors"


def test_a_design_without_a_residual_says_nothing() -> None:
    cells = design(strategy=3)
    cells["score"] = [0.1, 0.2, 0.3]
    assert variance(cells, "score", 0.05).components == ()
    assert variance(cells.iloc[:0], "score", 0.05).components == ()


def test_scores_that_are_all_equal_have_no_shares() -> None:
    cells = design(strategy=3, seed=3)
    cells["score"] = 0.5
    assert variance(cells, "score", 0.05).components == ()


def test_a_missing_score_is_left_out() -> None:
    cells = design(strategy=3, seed=4)
    cells["score"] = np.random.default_rng(0).normal(size=12)
    more = pd.concat([cells, cells.iloc[:1].assign(strategy=9, score=np.nan)])
    assert variance(more, "score", 0.05) == variance(cells, "score", 0.05)


def test_an_effect_of_none_has_an_interval_that_begins_at_0() -> None:
    cells = design(strategy=5, seed=5)
    cells["score"] = np.random.default_rng(1).normal(size=25)
    for each in variance(cells, "score", 0.05).components[:2]:
        assert each.low == 0.0
        assert each.high < 0.9
