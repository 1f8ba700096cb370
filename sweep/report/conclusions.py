"""The verdict of a sweep in sentences that are read once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sweep.report.evidence import Evidence
from sweep.report.formats import amount, capital
from sweep.report.summary import NO_MATCHING
from sweep.verdict.angles import LEAST
from sweep.verdict.decide import Answer, Question, Verdict
from sweep.verdict.margin import REFERENCE
from sweep.verdict.paired import Difference, Mean
from sweep.verdict.rows import RowDifference
from sweep.verdict.seeds import MOST
from sweep.verdict.tables import Block
from sweep.verdict.whole import WHOLE
from trainables.wording import count, listed

SUBJECTS = {Question.MATCHING: "whether matching helps", Question.STRATEGY: "whether the strategy matters"}


def headline(evidence: Evidence) -> list[str]:
    """One sentence per question: of all comparisons together, or of the only one."""
    return [sentence(answer, evidence) for answer in evidence.verdict.first]


def sentence(answer: Answer, evidence: Evidence) -> str:
    """The verdict of one question, with the numbers behind it and, where it is open, what would decide it."""
    words = Words(answer, evidence)
    if answer.verdict is Verdict.UNDECIDED:
        text = words.undecided()
    elif answer.question is Question.MATCHING:
        text = words.matching()
    else:
        text = words.strategy()
    end = f" It is {stop(answer)}." if answer.look else ""
    return f"{text}{words.without_margin()}{end}"


def stop(answer: Answer) -> str:
    """Why a question whose seeds are added in rounds has got no more of them, or that it still gets some."""
    look = answer.look
    assert look is not None
    seeds = count(look.num_seeds, "seed")
    if look.is_decided:
        return f"decided after {seeds}"
    if look.num_seeds == look.most:
        return f"undecided after the most, {seeds}"
    return f"open after {seeds} of at most {look.most}"


class Words:
    """The words of one answer: how it writes its amounts, and its verdict."""

    def __init__(self, answer: Answer, evidence: Evidence) -> None:
        self.answer = answer
        self.level = f"{1 - evidence.verdict.alpha:.0%}"
        self.metric = evidence.metrics.get(answer.table.block)
        self.num_blocks = len({each.table.block for each in evidence.verdict.blocks})

    def amount(self, value: float) -> str:
        """A difference in the units of the metric; of the whole, as a share of the way."""
        return amount(value, self.metric)

    @property
    def _scope(self) -> str:
        seeds = count(len(self.answer.table.seeds), "seed")
        whole = self.answer.table.block == WHOLE
        return f"{seeds}, on average over {self.num_blocks} comparisons" if whole else seeds

    @property
    def _unit(self) -> str:
        return " of the way from chance to the teacher" if self.answer.table.block == WHOLE else ""

    def matching(self) -> str:
        better = [each.first for each in self.answer.shown if each.mean.value > 0]
        worse = [each.first for each in self.answer.shown if each.mean.value < 0]
        if self.answer.verdict in (Verdict.EQUIVALENT, Verdict.MEASURABLE):
            within = f"every strategy is within {self._band} of none{self._ending}"
            return f"Matching changes nothing that matters: {within}."
        if better and worse:
            gaining, losing = (
                f"{listed(names)} {verb}{_s(names)}" for names, verb in ((better, "gain"), (worse, "lose"))
            )
            return f"Matching helps or hurts by strategy: {gaining} and {losing} against none ({self._scope})."
        if worse:
            return f"Matching hurts: {self._gain()}; shown for {listed(worse)}."
        return f"Matching helps: {self._gain()}; shown for {listed(better)}."

    def strategy(self) -> str:
        if self.answer.verdict in (Verdict.EQUIVALENT, Verdict.MEASURABLE):
            within = f"all matching strategies are within {self._band} of each other{self._ending}"
            return f"The strategy does not matter: {within}."
        shown = self.answer.shown
        if not shown:
            return (
                f"The strategy matters: the strategies differ together, though no pair shows it alone ({self._scope})."
            )
        return f"The strategy matters: {self._pair(max(shown, key=lambda each: abs(each.mean.value)))}."

    def undecided(self) -> str:
        answer, subject = self.answer, capital(SUBJECTS[self.answer.question])
        if answer.reason:
            return f"{subject} is undecided: {answer.reason}."
        seen = self._gain() if answer.gain else self._pair(max(answer.differences, key=lambda e: abs(e.mean.value)))
        more = answer.more_seeds
        end = (
            f"even {MOST:,} seeds would probably not decide it"
            if more is None
            else f"about {count(more, 'more seed')} would probably decide it"
        )
        return f"{subject} is undecided: {seen}; {end}."

    def without_margin(self) -> str:
        """Why nothing could be equivalent; said once, of the strategies."""
        answer = self.answer
        has_margin = answer.margin.value is not None or answer.reason or answer.question is Question.MATCHING
        return "" if has_margin else f" There is no margin for equivalence: {answer.margin.reason}."

    @property
    def _band(self) -> str:
        assert self.answer.margin.value is not None
        return f"{self.amount(self.answer.margin.value)}{self._unit}"

    @property
    def _ending(self) -> str:
        share = f", a third of what {REFERENCE} gains" if self.answer.margin.is_relative else ""
        measured = ", though measurably different" if self.answer.verdict is Verdict.MEASURABLE else ""
        return f"{share}{measured} ({self._scope})"

    def _gain(self) -> str:
        """`it gains 0.033 (95% interval 0.021 to 0.045, 5 seeds)`"""
        gain = self.answer.gain
        assert gain is not None
        verb = "gains" if gain.value >= 0 else "loses"
        return f"it {verb} {self.amount(abs(gain.value))}{self._unit} ({self._interval(gain, turned=gain.value < 0)})"

    def _pair(self, pair: Difference) -> str:
        """`forward and reverse differ by 0.020 (95% interval 0.004 to 0.036, 5 seeds)`, the better one first."""
        turned = pair.mean.value < 0
        names = (pair.second, pair.first) if turned else (pair.first, pair.second)
        amount = self.amount(abs(pair.mean.value))
        return f"{names[0]} and {names[1]} differ by {amount}{self._unit} ({self._interval(pair.mean, turned)})"

    def _interval(self, mean: Mean, turned: bool) -> str:
        if mean.low is None or mean.high is None:
            return self._scope
        low, high = (-mean.high, -mean.low) if turned else (mean.low, mean.high)
        return f"{self.level} interval {self.amount(low)} to {self.amount(high)}, {self._scope}"


def by_rows(differences: Iterable[RowDifference], alpha: float) -> str:
    """What the rows of the test split say of single students; empty without any comparison.

    Never that students are equivalent: the rows say nothing of another seed.
    """
    known = list(differences)
    if not known:
        return ""
    beyond = [each for each in known if each.p_adjusted is not None and each.p_adjusted <= alpha]
    pairs = [f"{each.first} and {each.second}" for each in beyond]
    rows = f"{known[0].num_rows:,} test rows"
    if not beyond:
        return (
            f"On these {rows} no two students differ by more than the choice of rows explains, which does not make "
            "them equal."
        )
    return (
        f"On these {rows} {listed(pairs, '; ')} differ by more than the choice of rows explains; another seed may not."
    )


def over_baseline(difference: Difference, evidence: Evidence, block: Block) -> str:
    """`Forward gains 0.020 over labels_only (95% interval 0.004 to 0.036, 5 seeds).`"""
    mean, metric = difference.mean, evidence.metrics.get(block)
    is_gain, scope = mean.value >= 0, count(mean.num_seeds, "seed")
    if mean.low is not None and mean.high is not None:
        low, high = (mean.low, mean.high) if is_gain else (-mean.high, -mean.low)
        level = f"{1 - evidence.verdict.alpha:.0%}"
        scope = f"{level} interval {amount(low, metric)} to {amount(high, metric)}, {scope}"
    verb, preposition = ("gains", "over") if is_gain else ("loses", "against")
    gain = f"{verb} {amount(abs(mean.value), metric)} {preposition} {difference.second}"
    return f"{capital(difference.first)} {gain} ({scope})."


def rows_in_short(evidence: Evidence) -> str:
    """What the rows say of all single students against `none`; empty where nothing was compared."""
    known = [each for found in evidence.by_rows.values() for each in found if each.second == NO_MATCHING]
    if not known:
        return ""
    beyond = sum(each.p_adjusted is not None and each.p_adjusted <= evidence.verdict.alpha for each in known)
    return (
        f"Row by row, {beyond} of {count(len(known), 'student')} with matching differ{'s' if len(known) == 1 else ''} "
        "from the one without by more than the choice of test rows explains; that speaks of these students alone."
    )


def not_estimated(missing: Mapping[str, str]) -> str:
    """`Not estimated: task and seed (one level).`; empty where nothing is missing."""
    reasons = dict.fromkeys(missing.values())
    parts = [f"{listed([name for name in missing if missing[name] == reason])} ({reason})" for reason in reasons]
    return f"Not estimated: {'; '.join(parts)}." if parts else ""


def of_angles(evidence: Evidence) -> str:
    """Whether strategies differ less where more angles are acute."""
    found = evidence.relation
    if found is None:
        return (
            f"Whether strategies differ less where more angles are acute can be estimated from {LEAST} comparisons "
            "with angles and scores that vary."
        )
    return (
        f"Over {found.num} comparisons the share of acute angles and the spread of the strategies have a rank "
        f"correlation of {found.correlation:.2f} ({1 - evidence.verdict.alpha:.0%} interval {found.low:.2f} to "
        f"{found.high:.2f}); the paper's explanation expects it below 0."
    )


def _s(subjects: Sequence[str]) -> str:
    return "s" if len(subjects) == 1 else ""
