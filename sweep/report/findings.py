"""What the numbers of a sweep say, in words. Pure.

Nothing here tests significance; the sentences say what was counted, and what the number of seeds leaves open.
"""

from __future__ import annotations

from collections.abc import Sequence

from sweep.report.summary import INITS, Comparison, Group, Section, compare
from sweep.tracking.tags import ACUTE_SHARE


def number(value: float | None, metric: str) -> str:
    """A score as text: BLEU with one decimal, shares with three; a dash where there is none."""
    return "-" if value is None else f"{value:.{_digits(metric)}f}"


def score(group: Group, metric: str) -> str:
    """`0.812`, or mean and standard deviation over seeds: `0.812 ± 0.004 (3)`."""
    text = number(group.mean, metric)
    return text if group.sd is None else f"{text} ± {number(group.sd, metric)} ({len(group.scores)})"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def findings(section: Section) -> list[str]:
    """What the numbers of a section say, a sentence or two an init."""
    return [f"{INITS[init].capitalize()}: {_finding(compare(section.of(init)), section)}" for init in section.inits]


def _finding(found: Comparison, section: Section) -> str:
    if found.gain is None:
        return "nothing to compare: cells with and without matching are needed."
    assert found.none is not None
    metric, sign = section.metric, "+" if found.gain >= 0 else "-"
    average = number(found.none + found.gain, metric)
    text = (
        f"without matching {number(found.none, metric)}, with matching {average} on average "
        f"({sign}{number(abs(found.gain), metric)}); {found.num_better} of {len(found.matching)} "
        "matching strategies score above none."
    )
    if found.spread is None:
        return text
    ranked = sorted(found.matching, key=lambda name: found.matching[name])
    text += (
        f" Matching strategies lie between {number(found.matching[ranked[0]], metric)} ({ranked[0]}) and "
        f"{number(found.matching[ranked[-1]], metric)} ({ranked[-1]}): a spread of {number(found.spread, metric)}"
    )
    return f"{text}, {found.spread / abs(found.gain):.0%} of the step from none." if found.gain else f"{text}."


def overview(all_sections: Sequence[Section]) -> list[str]:
    """What all comparisons of a sweep say together, and what they cannot say."""
    found = [compare(section.of(init)) for section in all_sections for init in section.inits]
    gains = [each for each in found if each.gain is not None]
    spreads = [each for each in gains if each.spread is not None]
    if not gains:
        return ["No model has finished cells both with and without matching yet."]
    num_gained = sum(each.gain > 0 for each in gains if each.gain is not None)
    num_close = sum(
        each.spread < abs(each.gain) for each in spreads if each.spread is not None and each.gain is not None
    )
    return [
        f"Does matching beat none? On average over its strategies it does in {num_gained} of {len(gains)} "
        "comparisons (a model, a task and an init each).",
        f"Do the strategies differ? In {num_close} of {len(spreads)} comparisons the spread between matching "
        "strategies is smaller than the step from none to matching.",
        *_angles(all_sections),
        _caution(min(each.num_seeds for each in gains)),
    ]


def _angles(all_sections: Sequence[Section]) -> list[str]:
    """How acute the angles were at the end, from the least to the most acute cell."""
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
            "One seed a cell cannot tell a difference between strategies from the luck of the draw: the same cell "
            "with another seed also scores differently, and by how much is not measured here. Read the spreads as "
            "sizes, not as proof; more seeds (axes.seed) show which of them last."
        )
    return (
        f"Each mean is over at least {num_seeds} seeds; ± is the standard deviation between them. No test of "
        "significance is made here: a spread of the size of that deviation says nothing."
    )


def _digits(metric: str) -> int:
    return 1 if metric == "bleu" else 3
