"""The verdict of each question: which test it rests on, at which level, and what is never concluded."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from sweep.verdict.decide import Answer, Question, Verdict, ask, decide
from sweep.verdict.margin import Margin, margin_of
from sweep.verdict.omnibus import omnibus
from sweep.verdict.tables import PairedTable
from tests.sweep.verdict.scores import BLOCK, exact

ALL_ALIKE = {"none": 0.5, "forward": 0.6, "reverse": 0.6, "random": 0.6}


def answers(table: PairedTable, margin: float | None, alpha: float = 0.05) -> dict[Question, Answer]:
    asked = [ask(question, table, margin_of(table, margin), alpha) for question in Question]
    return {answer.question: answer for answer in decide([each for each in asked if each], alpha)}


def verdicts(table: PairedTable, margin: float | None) -> tuple[Verdict, Verdict]:
    found = answers(table, margin)
    return found[Question.MATCHING].verdict, found[Question.STRATEGY].verdict


def test_each_of_the_four_verdicts() -> None:
    assert verdicts(exact(ALL_ALIKE, 5, 0.002), 0.02) == (Verdict.DIFFERENT, Verdict.EQUIVALENT)
    slightly = {**ALL_ALIKE, "reverse": 0.61}
    assert verdicts(exact(slightly, 8, 0.001), 0.02)[1] is Verdict.MEASURABLE
    assert verdicts(exact(ALL_ALIKE, 5, 0.2), 0.02) == (Verdict.UNDECIDED, Verdict.UNDECIDED)
    assert verdicts(exact({**ALL_ALIKE, "reverse": 0.9}, 5, 0.002), 0.02)[1] is Verdict.DIFFERENT


def test_what_is_not_significant_is_not_equivalent() -> None:
    found = answers(exact(ALL_ALIKE, 5, 0.05), 0.02)[Question.STRATEGY]
    assert found.p_different is not None
    assert found.p_different > 0.3
    assert found.verdict is Verdict.UNDECIDED


def test_without_a_margin_nothing_is_equivalent() -> None:
    table = exact({**ALL_ALIKE, "forward": 0.49, "reverse": 0.49, "random": 0.49}, 9, 0.0001)
    assert margin_of(table, None).value is None
    assert verdicts(table, None) == (Verdict.DIFFERENT, Verdict.UNDECIDED)


def test_matching_is_tested_by_pairs_against_none() -> None:
    table = exact({"none": 0.5, "forward": 0.52, "reverse": 0.51}, 6, 0.01)
    found = answers(table, 0.03)[Question.MATCHING]
    p_values = [stats.ttest_rel(table.of(name), table.of("none")).pvalue for name in ("forward", "reverse")]
    assert found.p_different == pytest.approx(2 * min(p_values))
    assert found.p_equivalent == pytest.approx(
        max(ttost_paired(table.of(name), table.of("none"), -0.03, 0.03)[0] for name in ("forward", "reverse"))
    )
    assert found.gain is not None
    assert found.gain.value == pytest.approx(0.015)
    assert (found.gain.low, found.gain.high) == pytest.approx(
        stats.ttest_1samp(table.scores_SK[:, 1:].mean(axis=1) - table.of("none"), 0).confidence_interval()
    )


def test_strategies_are_tested_without_none() -> None:
    table = exact(ALL_ALIKE, 6, 0.01)
    found = answers(table, 0.03)[Question.STRATEGY]
    tested = omnibus(table.scores_SK[:, 1:], 0.03)
    assert tested is not None
    assert found.p_different == tested.p_different
    pairs = [("forward", "reverse"), ("forward", "random"), ("reverse", "random")]
    assert [(each.first, each.second) for each in found.differences] == pairs
    assert found.p_equivalent == pytest.approx(
        max(ttost_paired(table.of(a), table.of(b), -0.03, 0.03)[0] for a, b in pairs)
    )


def test_one_pair_beyond_the_margin_is_enough_against_equivalence() -> None:
    apart = {f"s{index}": 0.6 for index in range(6)} | {"s0": 0.57}
    assert answers(exact(apart, 30, 0.01), 0.025)[Question.STRATEGY].verdict is Verdict.DIFFERENT
    assert answers(exact(apart, 30, 0.01), 0.05)[Question.STRATEGY].verdict is Verdict.MEASURABLE


def test_a_question_that_cannot_be_asked() -> None:
    assert list(answers(exact({"forward": 0.6, "reverse": 0.6}, 3, 0.1), 0.1)) == [Question.STRATEGY]
    assert list(answers(exact({"none": 0.6, "reverse": 0.6}, 3, 0.1), 0.1)) == [Question.MATCHING]
    assert answers(exact({"reverse": 0.6}, 3, 0.1), 0.1) == {}


def test_one_seed_is_undecided_and_says_why() -> None:
    for answer in answers(exact(ALL_ALIKE, 1, 0.1), 0.1).values():
        assert answer.verdict is Verdict.UNDECIDED
        assert answer.reason == "the strategies share one seed, and a test needs two"
        assert answer.more_seeds is None


def test_zero_variance_is_undecided_and_says_why() -> None:
    scores = np.array([[0.5, 0.6, 0.6], [0.7, 0.8, 0.8], [0.4, 0.5, 0.5]])
    table = PairedTable(BLOCK, ("none", "forward", "reverse"), (0, 1, 2), scores)
    for answer in answers(table, 0.05).values():
        assert answer.verdict is Verdict.UNDECIDED
        assert answer.reason == "the differences do not vary over the seeds"


def test_a_constant_pair_among_others_is_not_equivalent() -> None:
    table = exact(ALL_ALIKE, 5, 0.002)
    table.scores_SK[:, 3] = table.scores_SK[:, 2]
    found = answers(table, 0.02)[Question.STRATEGY]
    assert found.p_equivalent is None
    assert found.verdict is Verdict.UNDECIDED


def test_holm_over_the_questions() -> None:
    """Two questions of p = 0.04: neither holds at 0.05. With one of 0.01 beside it, both do."""
    table = exact(ALL_ALIKE, 5, 0.01)

    def asked(p: float) -> Answer:
        return Answer(Question.STRATEGY, table, Margin(None), (), None, None, p, None)

    assert [each.verdict for each in decide([asked(0.04), asked(0.04)], 0.05)] == [Verdict.UNDECIDED] * 2
    both = decide([asked(0.04), asked(0.01)], 0.05)
    assert [each.verdict for each in both] == [Verdict.DIFFERENT] * 2
    assert [each.level for each in both] == [0.05, 0.025]
    first, second, third = decide([asked(0.001), asked(0.04), asked(0.06)], 0.05)
    assert [first.level, second.level, third.level] == pytest.approx([0.05 / 3, 0.025, 0.025])
    assert [first.verdict, second.verdict] == [Verdict.DIFFERENT, Verdict.UNDECIDED]


def test_the_differences_that_are_shown_hold_at_the_level_of_the_question() -> None:
    table = exact({"none": 0.5, "forward": 0.6, "reverse": 0.501}, 5, 0.004)
    found = answers(table, 0.02)[Question.MATCHING]
    assert [each.first for each in found.shown] == ["forward"]
    assert answers(exact(ALL_ALIKE, 5, 0.3), 0.02)[Question.MATCHING].shown == ()


def test_what_cannot_be_equivalent_takes_no_level() -> None:
    """A third of forward's gain is never reached by forward itself, so that only one question is asked."""
    table = exact(ALL_ALIKE, 5, 0.01)
    assert [each.equivalence_level for each in answers(table, None).values()] == [0.0, 0.05]
    assert [each.equivalence_level for each in answers(table, 0.01).values()] == [0.025, 0.025]
