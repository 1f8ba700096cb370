"""The verdicts of questions whose seeds are added in rounds: each question ends at the first look that decides it.

The errors of all looks and questions together stay within alpha. Each look has the level that `looks.py` gives it, and
Holm's rule goes over the questions as in a single test (Maurer and Bretz 2013): a question is tested at alpha over the
number of questions that no look has rejected yet. What a look has rejected stays rejected.

The verdict is a function of the scores in the order of their seeds: neither the order in which cells end nor a command
that was cut off can change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import comb

from sweep.verdict.decide import Answer, Look, Question, ask, decided
from sweep.verdict.looks import look_levels
from sweep.verdict.margin import Margin
from sweep.verdict.power import Sides
from sweep.verdict.tables import Block, PairedTable

NOT_ENDED = "its first round of seeds has not ended"
MarginFor = Callable[[PairedTable], Margin]


@dataclass(eq=False)
class _Course:
    """A question about one table from look to look."""

    question: Question
    table: PairedTable
    is_fixed: bool
    """Whether the config sets the margin."""
    num_seeds: int = 0
    """At the last look, those of cells without a score included."""
    counts: list[int] = field(default_factory=list[int])
    """The seeds that the table had at each look so far."""
    looks: tuple[int, ...] = ()
    """Those, and the looks that are planned."""
    answer: Answer | None = None
    level: float = 0.0
    equivalence_level: float = 0.0

    @property
    def can_be_equivalent(self) -> bool:
        """With a share of forward's gain as the margin, forward is never within it of `none`."""
        return self.question is Question.STRATEGY or self.is_fixed

    def has_difference(self) -> bool:
        p = self.answer.p_different if self.answer else None
        return p is not None and p <= self.level

    def has_equivalence(self) -> bool:
        p = self.answer.p_equivalent if self.answer else None
        return p is not None and p <= self.equivalence_level

    @property
    def is_open(self) -> bool:
        return not (self.has_difference() or self.has_equivalence())

    def look(self, num_seeds: int, planned: Sequence[int], margin_for: MarginFor, alpha: float) -> bool:
        """Asks the question of the first seeds; returns False where they are too few, or no more than before."""
        part = self.table.first(num_seeds)
        if len(part.seeds) < max(2, 1 + max(self.counts, default=0)):
            return False
        self.counts.append(len(part.seeds))
        self.looks = (*self.counts, *(each for each in planned if each > num_seeds))
        self.level = self.equivalence_level = 0.0
        self.num_seeds = num_seeds
        self.answer = ask(self.question, part, margin_for(part), self._at(alpha, 2), self._at(alpha, 1))
        return True

    def test_difference(self, alpha: float) -> None:
        """Sets the level at this look of `p_different`, where the question may spend alpha over all looks.

        Of matching the test is the smallest of several p-values times their number, each at its part of alpha. Of the
        strategies it is an F test; no pair may be shown at more than its part of alpha either.
        """
        num = len(self.table.matching)
        if self.question is Question.MATCHING:
            self.level = num * self._at(alpha / num, 2)
        else:
            num_pairs = comb(num, 2)
            self.level = min(num_pairs * self._at(alpha / num_pairs, 2), self._at(alpha, 2, num - 1))

    def test_equivalence(self, alpha: float) -> None:
        """Sets the level at this look of `p_equivalent`, likewise."""
        self.equivalence_level = self._at(alpha, 1)

    def _at(self, alpha: float, sides: Sides, dims: int = 1) -> float:
        return float(look_levels(self.looks, alpha, sides, dims)[len(self.counts) - 1])

    def end(self, num_ended: int, planned: Sequence[int]) -> Answer:
        """The answer with its verdict, where the first `num_ended` seeds have ended."""
        num_seeds = max((each for each in planned if each <= num_ended), default=0)
        if self.answer is None:  # no look had two seeds
            answer = ask(self.question, self.table.first(num_seeds), Margin(None, reason=NOT_ENDED), 1.0)
            assert answer is not None
            look = Look(num_seeds, planned[-1], is_decided=False)
            return replace(answer, reason=answer.reason if num_seeds else NOT_ENDED, look=look)
        num_seeds = num_seeds if self.is_open else self.num_seeds
        look = Look(num_seeds, planned[-1], is_decided=not self.is_open)
        return replace(decided(self.answer, self.level, self.equivalence_level), look=look)


def follow(
    tables: Sequence[PairedTable],
    margin_for: MarginFor,
    alpha: float,
    looks: Sequence[int],
    num_ended: Mapping[Block, int],
    *,
    is_fixed: bool,
) -> list[Answer]:
    """The answers of one family of questions, each at its last look.

    `looks`: the numbers of seeds after which the tables are looked at. `num_ended`: the first seeds of each table whose
    cells have all ended, at which no later score can appear. `is_fixed`: whether the config sets the margin.
    """
    courses = [
        _Course(question, table, is_fixed)
        for table in tables
        for question in Question
        if ask(question, table.first(0), Margin(None), alpha)
    ]
    for num_seeds in looks:
        ready = [each for each in courses if each.is_open and num_ended[each.table.block] >= num_seeds]
        asked = [each for each in ready if each.look(num_seeds, looks, margin_for, alpha)]
        _holm(courses, asked, alpha, _Course.has_difference, _Course.test_difference)
        family = [each for each in courses if each.can_be_equivalent]
        _holm(family, asked, alpha, _Course.has_equivalence, _Course.test_equivalence)
    return [each.end(num_ended[each.table.block], looks) for each in courses]


def _holm(
    family: Sequence[_Course],
    asked: Sequence[_Course],
    alpha: float,
    is_rejected: Callable[[_Course], bool],
    test: Callable[[_Course, float], None],
) -> None:
    """Tests the questions of a look; each rejection leaves a larger part of alpha to the questions that are left."""
    num_left = -1
    while num_left != (num_left := sum(not is_rejected(each) for each in family)):
        for each in asked:
            if each in family and not is_rejected(each):
                test(each, alpha / num_left)
