"""Numbers as text. A number that does not exist is an empty text."""

from __future__ import annotations

from sweep.report.results import ResultRow
from sweep.report.summary import Group


def number(value: float | None, metric: str) -> str:
    """A score: one decimal for BLEU, three for every other metric."""
    return "" if value is None else f"{value:.{_decimals(metric)}f}"


def difference(value: float, metric: str) -> str:
    """A difference of scores, 0 or more: `0.006`, `less than 0.001`."""
    least = 10 ** -_decimals(metric)
    return f"less than {number(least, metric)}" if 0 < value < least / 2 else number(value, metric)


def score(group: Group, metric: str) -> str:
    """`0.812` for one seed; mean, standard deviation and number of seeds for several: `0.812 ± 0.004 (3)`."""
    text = number(group.mean, metric)
    return text if group.sd is None else f"{text} ± {number(group.sd, metric)} ({len(group.scores)})"


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _decimals(metric: str) -> int:
    return 1 if metric == "bleu" else 3


def three_digits(value: float | None) -> str:
    """A size or a speed: `1,230`, `45.6`."""
    return "" if value is None else f"{float(f'{value:.3g}'):,.10g}"


def metric_text(metric: str) -> str:
    """`BLEU`, `matthews correlation`"""
    return "BLEU" if metric == "bleu" else metric.replace("_", " ")


def amount(value: float, metric: str | None) -> str:
    """A difference in the units of a metric; without one a share of the way, `12.3%`. No zero has a sign."""
    text = number(value, metric) if metric else f"{value:.1%}"
    return text if float(text.rstrip("%")) else text.lstrip("-")


def duration(seconds: float) -> str:
    """`35 s`, `3 min`, `2.5 h`"""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def capital(text: str) -> str:
    """The text with a capital letter at its start, and no other letter changed."""
    return text[:1].upper() + text[1:]


def note(row: ResultRow) -> str:
    """What there is to say of a cell beside its numbers: that it has none, what makes them mean little, its mapping."""
    status = [row.status] if row.status != "done" else []
    return "; ".join(filter(None, [*status, *row.notes, short_mapping(row.mapping_note)]))


def short_mapping(text: str) -> str:
    """`identity` for `encoder: identity, decoder: identity`; `identity/reversal` where the stacks differ."""
    words = [part.partition(": ")[2] or part for part in text.split(", ")]
    return "/".join(words if len(set(words)) > 1 else words[:1])
