"""The numbers of a sweep in words. Pure.

Nothing here tests significance. The sentences say what was counted, and what so few or so many seeds cannot show.
"""

from __future__ import annotations

from collections.abc import Sequence

from sweep.report.summary import INITS, Comparison, Group, Section, compare
from sweep.tracking.tags import ACUTE_SHARE


def number(value: float | None, metric: str) -> str:
    """A score as text: one decimal for BLEU, three for every other metric, a dash for None."""
    return "-" if value is None else f"{value:.{_digits(metric)}f}"


def score(group: Group, metric: str) -> str:
    """`0.812` for one seed; mean, standard deviation and number of seeds for several: `0.812 ± 0.004 (3)`."""
    text = number(group.mean, metric)
    return text if group.sd is None else f"{text} ± {number(group.sd, metric)} ({len(group.scores)})"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def findings(section: Section) -> list[str]:
    """Describes the numbers of a section in one or two sentences per init."""
    return [f"{INITS[init].capitalize()}: {_finding(compare(section.of(init)), section)}" for init in section.inits]


def _finding(comparison: Comparison, section: Section) -> str:
    if comparison.gain is None:
        return "there is nothing to compare yet; this needs cells with and without matching."
    assert comparison.none is not None
    metric, sign = section.metric, "+" if comparison.gain >= 0 else "-"
    average = number(comparison.none + comparison.gain, metric)
    text = (
        f"without matching {number(comparison.none, metric)}, with matching {average} on average "
        f"({sign}{number(abs(comparison.gain), metric)}); {comparison.num_better} of {len(comparison.matching)} "
        "matching strategies score above none."
    )
    if comparison.spread is None:
        return text
    lowest, *_, highest = sorted(comparison.matching, key=lambda name: comparison.matching[name])
    text += (
        f" Matching strategies lie between {number(comparison.matching[lowest], metric)} ({lowest}) and "
        f"{number(comparison.matching[highest], metric)} ({highest}): a spread of {number(comparison.spread, metric)}"
    )
    part = f", {comparison.spread / abs(comparison.gain):.0%} of the step from none" if comparison.gain else ""
    return f"{text}{part}."


def overview(all_sections: Sequence[Section]) -> list[str]:
    """Describes all comparisons of a sweep together, and says what they cannot show."""
    comparisons = [compare(section.of(init)) for section in all_sections for init in section.inits]
    gains = [each for each in comparisons if each.gain is not None]
    spreads = [each for each in gains if each.spread is not None]
    if not gains:
        return ["No model has finished cells both with and without matching yet."]
    num_gained = sum(each.gain > 0 for each in gains if each.gain is not None)
    num_close = sum(
        each.spread < abs(each.gain) for each in spreads if each.spread is not None and each.gain is not None
    )
    return [
        f"Does matching beat none? On average over its strategies it does in {num_gained} of {len(gains)} "
        "comparisons (one per model, task and init).",
        f"Do the strategies differ? In {num_close} of {len(spreads)} comparisons the spread between matching "
        "strategies is smaller than the step from none to matching.",
        *_angles(all_sections),
        _caution(min(each.num_seeds for each in gains)),
    ]


def _angles(all_sections: Sequence[Section]) -> list[str]:
    """The share of acute angles at the end of training: its range and its mean over cells and stacks."""
    rows = {row.fingerprint: row for section in all_sections for row in section.rows}.values()
    shares = [value for row in rows for name, value in row.metrics.items() if name.endswith(f"/{ACUTE_SHARE}")]
    if not shares:
        return []
    return [
        f"Are the angles acute? At the end of training {min(shares):.0%} to {max(shares):.0%} of them are, "
        f"{sum(shares) / len(shares):.0%} on average over cells and stacks."
    ]


def _caution(num_seeds: int) -> str:
    if num_seeds < 2:
        return (
            "One seed per cell cannot tell a difference between strategies from the luck of the draw: the same cell "
            "also scores differently with another seed, and this sweep does not measure by how much. The spreads "
            "prove nothing; more seeds (axes.seed) show which of them remain."
        )
    return (
        f"Each mean is over at least {num_seeds} seeds; ± is the standard deviation between them. This is "
        "no test of significance: a spread no larger than that deviation says nothing."
    )


def _digits(metric: str) -> int:
    return 1 if metric == "bleu" else 3
