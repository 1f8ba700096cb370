"""The two questions of a sweep, each with one of four verdicts.

*Equivalent* needs a test of its own: two one-sided tests of every difference. That a difference was not significant
never makes it equivalent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import combinations

import numpy as np

from sweep.verdict.margin import Margin
from sweep.verdict.omnibus import Omnibus, omnibus
from sweep.verdict.paired import Difference, Mean, difference, holm, mean, with_holm
from sweep.verdict.seeds import more_seeds
from sweep.verdict.tables import NO_MATCHING, PairedTable


class Question(StrEnum):
    """What is asked of a table."""

    MATCHING = "does matching help"
    """Every matching strategy against `none`."""
    STRATEGY = "does the strategy matter"
    """The matching strategies among each other."""


class Verdict(StrEnum):
    """What the scores show."""

    EQUIVALENT = "equivalent"
    """Every difference is within the margin."""
    MEASURABLE = "equivalent though measurably different"
    """Every difference is within the margin, and one of them is not 0."""
    DIFFERENT = "different"
    """A difference is not 0, and not all are shown to be within the margin."""
    UNDECIDED = "undecided"
    """Neither is shown."""


@dataclass(frozen=True)
class Look:
    """The last look at a question whose seeds are added in rounds."""

    num_seeds: int
    """The seeds of the rounds that have ended; 0 before the first one has."""
    most: int
    is_decided: bool
    """Whether the question has its verdict, so that it gets no more seeds."""


@dataclass(frozen=True)
class Answer:
    """A question about one table with the tests behind its verdict."""

    question: Question
    table: PairedTable
    margin: Margin
    differences: tuple[Difference, ...]
    gain: Mean | None
    """The mean over the matching strategies minus `none`; of the question whether matching helps."""
    omnibus: Omnibus | None
    """Of the matching strategies; of the question whether the strategy matters."""
    p_different: float | None
    p_equivalent: float | None
    verdict: Verdict = Verdict.UNDECIDED
    level: float = 0.0
    """Of the test of a difference, after Holm's correction over the questions."""
    equivalence_level: float = 0.0
    """Of the tests of equivalence, likewise."""
    reason: str = ""
    """Why no test was possible, or what stands against a verdict."""
    look: Look | None = None
    """None where the number of seeds does not depend on the scores."""

    @cached_property
    def more_seeds(self) -> int | None:
        """How many more seeds would probably decide it; None where it is decided, or where that cannot be said."""
        if self.verdict is not Verdict.UNDECIDED or self.reason:
            return None
        return more_seeds(self.differences, self.table, self.margin, self.omnibus, self.level, self.equivalence_level)

    @property
    def shown(self) -> tuple[Difference, ...]:
        """The differences that are not 0, at the level of the question; none unless the question rejects too."""
        if self.p_different is None or self.p_different > self.level:
            return ()
        return tuple(each for each in self.differences if each.p_adjusted is not None and each.p_adjusted <= self.level)


def ask(
    question: Question, table: PairedTable, margin: Margin, alpha: float, one_sided: float | None = None
) -> Answer | None:
    """The tests of a question, without its verdict; None where the table has no such strategies.

    `alpha` and `one_sided` are the levels of the intervals, as in `difference`.

    A difference: of matching, the smallest p-value of the strategies against `none`, by Holm; of the strategies among
    each other, the omnibus F test. Equivalence: the largest p-value of all pairs, an intersection-union test (Berger
    and Hsu 1996), which needs no correction, since every pair must be within the margin.
    """
    pairs = _pairs(question, table)
    if not pairs:
        return None
    if len(table.seeds) < 2:
        reason = f"the strategies share {'one seed' if table.seeds else 'no seed'}, and a test needs two"
        return Answer(question, table, margin, (), None, None, None, None, reason=reason)
    pairwise = [
        difference(pair, table.of(pair[0]), table.of(pair[1]), margin.per_seed_S, alpha, one_sided) for pair in pairs
    ]
    differences = with_holm(pairwise)
    adjusted = [each.p_adjusted for each in differences]
    tested = omnibus(table.only(table.matching).scores_SK, margin.value) if question is Question.STRATEGY else None
    p_different = (tested.p_different if tested else None) if question is Question.STRATEGY else _least(adjusted)
    return Answer(
        question,
        table,
        margin,
        tuple(differences),
        _gain(table, alpha) if question is Question.MATCHING else None,
        tested,
        p_different,
        _largest([each.p_equivalent for each in differences]),
        reason="" if p_different is not None else "the differences do not vary over the seeds",
    )


def decide(answers: Sequence[Answer], alpha: float) -> list[Answer]:
    """The verdicts of one family of questions.

    Holm's correction holds the probability of any wrong *different* in the family to alpha, and that of any wrong
    *equivalent* to alpha: each kind is a family of its own, and of one question only one of them can be wrong.
    """
    of_difference = _levels([each.p_different for each in answers], alpha)
    # With a share of forward's gain as the margin, forward is never within it of `none`: that test is not made.
    can_be = [
        index for index, each in enumerate(answers) if each.question is Question.STRATEGY or not each.margin.is_relative
    ]
    levels = dict(zip(can_be, _levels([answers[index].p_equivalent for index in can_be], alpha), strict=True))
    of_equivalence = [levels.get(index, 0.0) for index in range(len(answers))]
    return [decided(*each) for each in zip(answers, of_difference, of_equivalence, strict=True)]


def decided(answer: Answer, level: float, equivalence_level: float) -> Answer:
    """The answer with the verdict that its tests have at these levels."""
    is_different = answer.p_different is not None and answer.p_different <= level
    is_equivalent = answer.p_equivalent is not None and answer.p_equivalent <= equivalence_level
    if is_equivalent:
        verdict = Verdict.MEASURABLE if is_different else Verdict.EQUIVALENT
    else:
        verdict = Verdict.DIFFERENT if is_different else Verdict.UNDECIDED
    return replace(answer, verdict=verdict, level=level, equivalence_level=equivalence_level)


def _pairs(question: Question, table: PairedTable) -> list[tuple[str, str]]:
    if question is Question.STRATEGY:
        return list(combinations(table.matching, 2))
    return [(name, NO_MATCHING) for name in table.matching] if NO_MATCHING in table.strategies else []


def _gain(table: PairedTable, alpha: float) -> Mean:
    scale = float(np.max(np.abs(table.scores_SK)))
    return mean(table.only(table.matching).scores_SK.mean(axis=1) - table.of(NO_MATCHING), alpha, scale)


def _levels(p_values: Sequence[float | None], alpha: float) -> list[float]:
    """The level of each test by Holm's rule: a test rejects where its p-value is at most its level."""
    known = sorted(p for p in p_values if p is not None)
    num_rejected = sum(each is not None and each <= alpha for each in holm(p_values))
    rejected = known[:num_rejected]
    last = alpha / max(1, len(p_values) - num_rejected)
    return [alpha / (len(p_values) - rejected.index(p)) if p in rejected else last for p in p_values]


def _least(p_values: Sequence[float | None]) -> float | None:
    return min((p for p in p_values if p is not None), default=None)


def _largest(p_values: Sequence[float | None]) -> float | None:
    """None where one of them is: a pair without a test shows nothing."""
    known = [p for p in p_values if p is not None]
    return max(known) if known and len(known) == len(p_values) else None
