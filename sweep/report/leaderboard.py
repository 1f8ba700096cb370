"""All cells of a sweep in one order, the best first. Pure.

The test split never chooses a student: the best of many test scores would be biased upwards. Cells are ordered by how
near they came to their teacher on the validation split.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sweep.grid.variation import short_value
from sweep.report.results import ResultRow
from sweep.report.summary import short_names


@dataclass(frozen=True)
class Line:
    """One cell: its place, None without a score, and what the columns of the leaderboard say of it."""

    place: int | None
    row: ResultRow
    identity: tuple[str, ...]


@dataclass(frozen=True)
class Leaderboard:
    """The columns that tell the cells apart, and one line per cell."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def ranked(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """The cells with a score, starting with the one that came nearest to its teacher on the validation split."""
    scored = [(row.best, row) for row in rows if row.kind == "cell" and row.best is not None]
    return [row for _, row in sorted(scored, key=lambda each: _nearness(*each), reverse=True)]


def leaderboard(rows: Sequence[ResultRow]) -> Leaderboard:
    """All cells: those with a score by their place, then the others in the order of the sweep.

    Strategy, init and every further axis have a column; model, task and seed where they differ.
    """
    cells = [row for row in rows if row.kind == "cell"]
    names = short_names(cells)
    values = {
        "model": [row.model for row in cells],
        "task": [row.task for row in cells],
        "strategy": [row.strategy for row in cells],
        "init": [row.init for row in cells],
        **{name: [_value(row, field) for row in cells] for field, name in names.items()},
        "seed": [str(row.seed) for row in cells],
    }
    optional = ("model", "task", "seed")
    columns = tuple(name for name, column in values.items() if name not in optional or len(set(column)) > 1)
    identities = {row.fingerprint: tuple(values[name][index] for name in columns) for index, row in enumerate(cells)}
    leaders = ranked(cells)
    others = [row for row in cells if row.best is None]
    lines = [Line(place, row, identities[row.fingerprint]) for place, row in enumerate(leaders, 1)]
    return Leaderboard(columns, (*lines, *(Line(None, row, identities[row.fingerprint]) for row in others)))


def _value(row: ResultRow, field: str) -> str:
    return short_value(row.axes[field]) if field in row.axes else ""


def _nearness(best: float, row: ResultRow) -> tuple[bool, float, float]:
    """The sort key of a row. A row without a share of the way comes after those that have one."""
    return row.validation_share is not None, row.validation_share or 0.0, best
