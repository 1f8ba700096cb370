"""The numbers of a sweep in sentences that are read once. Pure.

Nothing here tests significance. The sentences say what was counted, and what so few seeds cannot show.
"""

from __future__ import annotations

from collections.abc import Sequence

from sweep.report.formats import capital, difference, duration, metric_text, number
from sweep.report.results import ResultRow
from sweep.report.summary import Comparison, Section, compare, init_text
from sweep.tracking.tags import ACUTE_SHARE

MAX_PLACES = 4
"""More comparisons than these are summed up by their ranges."""


def best(row: ResultRow) -> str:
    """`Best: reverse · teacher · lr=1e-3: validation 0.914, test 0.920 of the teacher's 0.932.`"""
    parts = [f"validation {number(row.best, row.main_metric)}"]
    if row.test is not None:
        parts.append(f"test {number(row.test, row.main_metric)}")
    of_teacher = (
        f" of the teacher's {number(row.teacher_test, row.main_metric)}" if row.teacher_test is not None else ""
    )
    return f"Best: {row.words}: {', '.join(parts)}{of_teacher}."


def cost(row: ResultRow) -> str:
    """`It took 35 s to train.`; empty where that was not measured."""
    return "" if row.seconds is None else f"It took {duration(row.seconds)} to train."


def findings(section: Section) -> list[str]:
    """Describes the numbers of a section in one or two sentences per init."""
    return [f"{capital(init_text(init))}: {_detailed(compare(section.of(init)), section)}" for init in section.inits]


def overview(sections: Sequence[Section]) -> list[str]:
    """Describes all comparisons of a sweep together, and says what so few seeds cannot show."""
    comparisons = [(section, init, compare(section.of(init))) for section in sections for init in section.inits]
    comparable = [each for each in comparisons if each[2].gain is not None or each[2].spread is not None]
    if not comparable:
        return ["There is nothing to compare yet: that needs finished cells of two strategies."]
    if len(comparable) > MAX_PLACES:
        metrics = dict.fromkeys(section.metric for section, _, _ in comparable)
        sentences = [
            _ranges([each for section, _, each in comparable if section.metric == metric], metric) for metric in metrics
        ]
    else:
        sentences = [
            f"{place}{_short(each, section.metric)}"
            if (place := _place(section, init, comparable))
            else capital(_short(each, section.metric))
            for section, init, each in comparable
        ]
    return [*sentences, *angles(sections), _caution(min(each.num_seeds for _, _, each in comparable))]


def _place(section: Section, init: str, all_places: Sequence[tuple[Section, str, Comparison]]) -> str:
    """What tells a comparison from the others: `lr=2e-4, random start: `, `Random start: `; empty for the only one."""
    sections = [each for each, _, _ in all_places]
    has_models = len({(each.model, each.task) for each in sections}) > 1
    parts = [f"{section.model} on {section.task}"] if has_models else []
    parts += [section.axes_text] if len({each.axes_text for each in sections}) > 1 and section.axes_text else []
    if len({each for _, each, _ in all_places}) > 1:
        parts.append(init_text(init) if parts else capital(init_text(init)))
    return f"{', '.join(parts)}: " if parts else ""


def _short(comparison: Comparison, metric: str) -> str:
    """`strategies differ by 0.006; matching gains 0.033.`"""
    parts: list[str] = []
    if (spread := comparison.spread) is not None:
        parts.append(f"strategies differ by {difference(spread, metric)}" if spread else "strategies score the same")
    if (gain := comparison.gain) is not None:
        subject = "matching" if len(comparison.matching) > 1 else next(iter(comparison.matching))
        amount = difference(abs(gain), metric) if gain else "nothing"
        parts.append(f"{subject} {'gains' if gain >= 0 else 'loses'} {amount}")
    return f"{'; '.join(parts)}."


def _ranges(comparisons: Sequence[Comparison], metric: str) -> str:
    """`6 comparisons by accuracy: strategies differ by 0.004 to 0.020; matching gains 0.010 to 0.033.`"""
    spreads = [each.spread for each in comparisons if each.spread is not None]
    gains = [each.gain for each in comparisons if each.gain is not None]
    parts = [f"strategies differ by {_range(spreads, metric)}"] if spreads else []
    if gains and min(gains) >= 0:
        parts.append(f"matching gains {_range(gains, metric)}")
    elif gains and max(gains) < 0:
        parts.append(f"matching loses {_range([-gain for gain in gains], metric)}")
    elif gains:
        num_gained = sum(gain >= 0 for gain in gains)
        lost, gained = difference(-min(gains), metric), difference(max(gains), metric)
        num_lost = len(gains) - num_gained
        parts.append(f"matching gains in {num_gained} (up to {gained}) and loses in {num_lost} (up to {lost})")
    return f"{len(comparisons)} comparisons by {metric_text(metric)}: {'; '.join(parts)}."


def _range(values: Sequence[float], metric: str) -> str:
    lowest, highest = number(min(values), metric), number(max(values), metric)
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _detailed(comparison: Comparison, section: Section) -> str:
    """The short sentence of a comparison, with the scores behind it."""
    metric = section.metric
    if comparison.gain is None and comparison.spread is None:
        return "there is nothing to compare yet; that needs finished cells of two strategies."
    sentences = [_short(comparison, metric)]
    if comparison.gain is None:
        sentences.append("The strategy none has no finished cell, so that nothing says what matching gains.")
    elif comparison.none is not None:
        average = number(comparison.none + comparison.gain, metric)
        sentences.append(f"None scores {number(comparison.none, metric)}, matching {average} on average.")
    if comparison.spread is not None:
        lowest, *_, highest = sorted(comparison.matching, key=lambda name: comparison.matching[name])
        low, high = (number(comparison.matching[name], metric) for name in (lowest, highest))
        sentences.append(f"Of the matching strategies {highest} scores most ({high}) and {lowest} least ({low}).")
    return " ".join(sentences)


def angles(sections: Sequence[Section]) -> list[str]:
    """The share of acute angles at the end of training: its range and its mean over cells and stacks."""
    rows = {row.fingerprint: row for section in sections for row in section.rows}.values()
    shares = [value for row in rows for name, value in row.metrics.items() if name.endswith(f"/{ACUTE_SHARE}")]
    if not shares:
        return []
    average = f"{sum(shares) / len(shares):.0%}"
    if min(shares) == max(shares):
        return [f"At the end of training {average} of the angles are acute."]
    return [
        f"At the end of training {min(shares):.0%} to {max(shares):.0%} of the angles are acute, {average} on average."
    ]


def _caution(num_seeds: int) -> str:
    if num_seeds < 2:
        return (
            "Every number is of one seed, which cannot tell a difference between strategies from luck: "
            "axes.seed=[0,1,2] shows which differences remain."
        )
    return (
        f"Each mean is over {num_seeds} seeds or more; ± is their standard deviation. "
        "A difference no larger than that says nothing."
    )
