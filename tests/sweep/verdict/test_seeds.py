"""The number of seeds that would probably decide: the fewest at which a test has a power of 80%."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.verdict.decide import Question, Verdict
from sweep.verdict.power import difference_power, equivalence_power
from sweep.verdict.tables import PairedTable
from tests.sweep.verdict.scores import exact
from tests.sweep.verdict.test_decide import answers


def test_the_fewest_seeds_with_which_equivalence_has_power() -> None:
    """Two questions, so that each is tested at half the level."""
    table = exact({"none": 0.5, "forward": 0.6, "reverse": 0.6}, 3, 0.02)
    found = answers(table, 0.02)[Question.STRATEGY]
    (pair,) = found.differences
    assert found.more_seeds is not None
    num = 3 + found.more_seeds
    powers = [equivalence_power(0.0, pair.sd, 0.02, each, 0.025) for each in (num - 1, num)]
    assert powers[0] < 0.8 <= powers[1]


def test_the_fewest_seeds_with_which_a_difference_has_power() -> None:
    table = exact({"none": 0.5, "forward": 0.52}, 3, 0.02)
    found = answers(table, None)[Question.MATCHING]
    (pair,) = found.differences
    assert found.more_seeds is not None
    num = 3 + found.more_seeds
    powers = [difference_power(0.02, pair.sd, each, 0.05) for each in (num - 1, num)]
    assert powers[0] < 0.8 <= powers[1]


def test_more_than_a_thousand_seeds_are_not_promised() -> None:
    table = exact({"forward": 0.6, "reverse": 0.6}, 4, 0.1)
    assert answers(table, 0.0001)[Question.STRATEGY].more_seeds is None


def test_a_decided_question_needs_no_more() -> None:
    found = answers(exact({"none": 0.5, "forward": 0.6}, 5, 0.001), 0.02)[Question.MATCHING]
    assert (found.verdict, found.more_seeds) == (Verdict.DIFFERENT, None)


@pytest.mark.parametrize("margin", [0.01, None])
def test_the_planned_seeds_decide_at_least_as_often_as_planned(margin: float | None) -> None:
    """Where the first effects and covariances are the true ones."""
    start = exact({"none": 0.5, "forward": 0.53, "reverse": 0.53, "random": 0.53}, 4, 0.01)
    planned = answers(start, margin)[Question.STRATEGY].more_seeds
    assert planned is not None
    random, num = np.random.default_rng(0), 4 + planned
    means, covariance = start.scores_SK.mean(axis=0), np.cov(start.scores_SK, rowvar=False)
    num_decided = 0
    for _ in range(200):
        scores = random.multivariate_normal(means, covariance, num)
        table = PairedTable(start.block, start.strategies, tuple(range(num)), scores)
        num_decided += answers(table, margin)[Question.STRATEGY].verdict is not Verdict.UNDECIDED
    assert num_decided > 200 * 0.8 - 3 * (200 * 0.8 * 0.2) ** 0.5
