"""The evidence of one comparison for the page: its verdicts, the forest plot, and the paired table under it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sweep.report.conclusions import by_rows, over_baseline, sentence
from sweep.report.evidence import Evidence
from sweep.report.formats import amount, capital
from sweep.report.picture import Picture
from sweep.report.plots.forest import Part, forest_plot
from sweep.verdict.decide import Answer, Question
from sweep.verdict.paired import Difference, mean
from sweep.verdict.rows import RowDifference
from sweep.verdict.tables import Block, PairedTable
from sweep.verdict.whole import WHOLE
from trainables.wording import count

TITLES = {Question.MATCHING: "matching against none", Question.STRATEGY: "the strategies among each other"}


@dataclass(frozen=True)
class DifferenceLine:
    """One difference as a line of a table: names, difference, interval, both p-values."""

    names: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Proof:
    """What the page shows of one comparison, or of the whole."""

    title: str
    sentences: list[str]
    notes: list[str]
    forest: Picture | None
    strategies: tuple[str, ...]
    seeds: list[tuple[int, tuple[str, ...]]]
    """One line per seed, with one score per strategy."""
    means: tuple[str, ...]
    """Mean and interval of each strategy."""
    level: str
    differences: list[DifferenceLine]
    footnote: str


def proof(block: Block, title: str, evidence: Evidence) -> Proof | None:
    """The evidence of a comparison; of the whole for `WHOLE`. None where it has nothing to show."""
    verdict = evidence.verdict
    answers = verdict.whole if block == WHOLE else verdict.of(block)
    if not answers:
        return None
    table, alpha = max((answer.table for answer in answers), key=lambda each: len(each.seeds)), verdict.alpha
    metric = evidence.metrics.get(block)
    rows, against = evidence.by_rows.get(block, ()), evidence.baselines.get(block, ())
    if len(table.seeds) == 1 and not rows:
        return None

    def text(value: float | None) -> str:
        return "" if value is None else amount(value, metric)

    return Proof(
        title=title,
        sentences=_sentences(block, answers, evidence),
        notes=list(table.notes),
        forest=_forest(
            answers, against, f"difference in {metric}" if metric else "difference, share of the way", title
        ),
        strategies=table.strategies,
        seeds=[(seed, tuple(map(text, row))) for seed, row in zip(table.seeds, table.scores_SK.tolist(), strict=True)],
        means=_means(table, alpha, text),
        level=f"{1 - alpha:.0%}",
        differences=[
            *(line for answer in answers for line in _lines(answer.differences, text)),
            *_row_lines(rows, text),
            *_lines(against, text),
        ],
        footnote=" ".join(filter(None, [_omnibus(answers), *map(_levels, answers)])),
    )


def _sentences(block: Block, answers: Sequence[Answer], evidence: Evidence) -> list[str]:
    """The verdicts; none of the whole, with which the page begins. Of a single seed, what the rows say."""
    if block == WHOLE:
        return []
    rows = evidence.by_rows.get(block, ())
    said = [by_rows(rows, evidence.verdict.alpha)] if rows else [sentence(answer, evidence) for answer in answers]
    return said + [over_baseline(each, evidence, block) for each in evidence.baselines.get(block, ())]


def _forest(answers: Sequence[Answer], against: Sequence[Difference], axis: str, title: str) -> Picture | None:
    parts = [Part(TITLES[answer.question], answer.differences) for answer in answers if answer.differences]
    parts += [Part("against the baselines", against)] if against and parts else []
    if not parts:
        return None
    return Picture.of(forest_plot(parts, answers[-1].margin.value, axis), f"{capital(axis)}, with intervals: {title}")


def _means(table: PairedTable, alpha: float, amount: Callable[[float | None], str]) -> tuple[str, ...]:
    if len(table.seeds) < 2:
        return ()
    means = [mean(table.of(name), alpha) for name in table.strategies]
    return tuple(
        amount(each.value) if each.low is None else f"{amount(each.value)} ({amount(each.low)} to {amount(each.high)})"
        for each in means
    )


def _lines(differences: Sequence[Difference], amount: Callable[[float | None], str]) -> list[DifferenceLine]:
    return [
        DifferenceLine(
            f"{each.first} minus {each.second}",
            (
                amount(each.mean.value),
                _interval(each.mean.low, each.mean.high, amount),
                _p(each.p_adjusted),
                _p(each.p_equivalent),
            ),
        )
        for each in differences
    ]


def _row_lines(rows: Sequence[RowDifference], amount: Callable[[float | None], str]) -> list[DifferenceLine]:
    """The students of a single seed, which have no test of equivalence."""
    return [
        DifferenceLine(
            f"{each.first} minus {each.second}",
            (amount(each.value), _interval(each.low, each.high, amount), _p(each.p_adjusted), ""),
        )
        for each in rows
    ]


def _interval(low: float | None, high: float | None, amount: Callable[[float | None], str]) -> str:
    return "" if low is None or high is None else f"{amount(low)} to {amount(high)}"


def _omnibus(answers: Sequence[Answer]) -> str:
    """The test of all strategies at once, and the margin in residual standard deviations."""
    answer = next((each for each in answers if each.omnibus), None)
    if answer is None or answer.omnibus is None:
        return ""
    found, margin = answer.omnibus, answer.margin
    df = " and ".join(f"{found.epsilon * each:.1f}" for each in found.df)
    text = f"All matching strategies at once: F = {found.f:.2f} with {df} degrees of freedom"
    text = f"{text}, p {_equals(found.p_different)}"
    if found.p_equivalent is None or margin.value is None:
        return f"{text}."
    sds = f"{margin.value / found.residual_sd:.1f} residual standard deviations"
    return f"{text}; the same test of equivalence, with the margin as {sds}, p {_equals(found.p_equivalent)}."


def _levels(answer: Answer) -> str:
    """The levels of the last look, under which its intervals hold too; empty where nothing is looked at again."""
    if answer.look is None or not answer.differences:
        return ""
    of_difference, of_equivalence = (f"{each:.2g}" for each in (answer.level, answer.equivalence_level))
    equivalence = f", of equivalence at {of_equivalence}" if answer.equivalence_level else ""
    title, seeds = capital(TITLES[answer.question]), count(len(answer.table.seeds), "seed")
    return (
        f"{title}, after {seeds}: since the scores are looked at repeatedly, a difference is shown at a level of "
        f"{of_difference}{equivalence}."
    )


def _equals(value: float) -> str:
    """`= 0.031`, `< 0.001`"""
    return _p(value) if value < 0.001 else f"= {_p(value)}"


def _p(value: float | None) -> str:
    """`0.031`, `< 0.001`"""
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"
