"""Error rates of the verdict over made sweeps, each within what a binomial count allows in 99 of 100 tests.

`benchmarks/verdict.py` has the long run.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

from sweep.verdict.decide import Answer, Question, Verdict, ask, decide
from sweep.verdict.margin import margin_of
from sweep.verdict.rounds import follow
from sweep.verdict.tables import PairedTable
from tests.sweep.verdict.scores import BLOCK, drawn

NUM_SWEEPS = 400
ALPHA = 0.05
MARGIN = 0.02
DIFFERENT = (Verdict.DIFFERENT, Verdict.MEASURABLE)
EQUIVALENT = (Verdict.EQUIVALENT, Verdict.MEASURABLE)


def most(rate: float) -> float:
    """The largest count that a rate gives in 99 of 100 simulations."""
    return float(stats.binom.ppf(0.99, NUM_SWEEPS, rate))


def sweeps(effects: Mapping[str, float], num_seeds: int, sd: float, margin: float | None) -> list[list[Answer]]:
    random = np.random.default_rng(7)
    answers: list[list[Answer]] = []
    for _ in range(NUM_SWEEPS):
        scores = drawn(random, effects, num_seeds, sd)
        table = PairedTable(BLOCK, tuple(effects), tuple(range(num_seeds)), scores)
        asked = [ask(question, table, margin_of(table, margin), ALPHA) for question in Question]
        answers.append(decide([each for each in asked if each], ALPHA))
    return answers


@pytest.mark.parametrize("num_seeds", [3, 5])
def test_no_effect_is_rarely_called_different(num_seeds: int) -> None:
    none = dict.fromkeys(("none", "forward", "reverse", "random"), 0.6)
    wrong = sum(any(each.verdict in DIFFERENT for each in answers) for answers in sweeps(none, num_seeds, 0.01, MARGIN))
    assert wrong <= most(ALPHA)


@pytest.mark.parametrize("num_seeds", [3, 5])
def test_an_effect_at_the_margin_is_rarely_called_equivalent(num_seeds: int) -> None:
    at_margin = {"none": 0.6, "forward": 0.62, "reverse": 0.62 + MARGIN}
    wrong = sum(
        any(each.verdict in EQUIVALENT for each in answers) for answers in sweeps(at_margin, num_seeds, 0.004, MARGIN)
    )
    assert wrong <= most(ALPHA)


def test_an_effect_at_a_third_of_the_gain_is_rarely_called_equivalent() -> None:
    """The margin is estimated from the same scores. Taken as known, it would be wrong more often."""
    at_margin = {"none": 0.6, "forward": 0.66, "reverse": 0.64}
    wrong = sum(answers[1].verdict in EQUIVALENT for answers in sweeps(at_margin, 5, 0.02, None))
    assert wrong <= most(ALPHA)


def test_the_interval_of_a_difference_covers_it() -> None:
    effects = {"none": 0.6, "forward": 0.62}
    covered = 0
    for (answer,) in sweeps(effects, 4, 0.01, MARGIN):
        (pair,) = answer.differences
        assert pair.mean.low is not None
        assert pair.mean.high is not None
        covered += pair.mean.low <= 0.02 <= pair.mean.high
    low, high = stats.binom.ppf([0.005, 0.995], NUM_SWEEPS, 0.95)
    assert low <= covered <= high


def test_a_large_effect_is_called_different() -> None:
    large = {"none": 0.6, "forward": 0.7, "reverse": 0.8}
    decided = [[each.verdict for each in answers] for answers in sweeps(large, 5, 0.01, MARGIN)]
    assert sum(each == [Verdict.DIFFERENT] * 2 for each in decided) >= NUM_SWEEPS * 0.95


def in_rounds(effects: Mapping[str, float], sd: float, margin: float | None) -> list[list[Answer]]:
    """Made sweeps whose seeds are added in rounds, from 3 to 10."""
    random, looks = np.random.default_rng(8), (3, 4, 6, 10)
    tables = [
        PairedTable(BLOCK, tuple(effects), tuple(range(10)), drawn(random, effects, 10, sd)) for _ in range(NUM_SWEEPS)
    ]
    return [
        follow([table], lambda part: margin_of(part, margin), ALPHA, looks, {BLOCK: 10}, is_fixed=margin is not None)
        for table in tables
    ]


def test_added_seeds_rarely_make_a_difference_of_none() -> None:
    none = dict.fromkeys(("none", "forward", "reverse"), 0.6)
    sweeps_made = in_rounds(none, 0.01, MARGIN)
    assert sum(any(each.verdict in DIFFERENT for each in answers) for answers in sweeps_made) <= most(ALPHA)
    assert sum(answer.verdict in EQUIVALENT for answers in sweeps_made for answer in answers) > NUM_SWEEPS


@pytest.mark.parametrize("margin", [MARGIN, None])
def test_added_seeds_rarely_make_what_is_at_the_margin_equivalent(margin: float | None) -> None:
    at_margin = {"none": 0.6, "forward": 0.66, "reverse": 0.66 - MARGIN}
    wrong = sum(answers[1].verdict in EQUIVALENT for answers in in_rounds(at_margin, 0.012, margin))
    assert wrong <= most(ALPHA)


def test_the_intervals_of_a_difference_cover_it_whenever_a_sweep_ends() -> None:
    covered = 0
    for answers in in_rounds({"none": 0.6, "forward": 0.62}, 0.01, MARGIN):
        (pair,) = answers[0].differences
        assert pair.mean.low is not None
        assert pair.mean.high is not None
        covered += pair.mean.low <= 0.02 <= pair.mean.high
    assert covered >= stats.binom.ppf(0.01, NUM_SWEEPS, 1 - ALPHA)
