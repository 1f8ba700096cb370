"""Summaries of rows: one section per model and task, scores over seeds, matching against none. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sweep.grid.variation import axis_names, short_value
from sweep.report.results import ResultRow
from sweep.spec.baselines import BASELINES
from sweep.tracking.tags import ANGLE

NO_MATCHING = "none"
INITS = {"random": "random start", "teacher": "teacher's weights"}
"""What the page calls the inits of the paper."""


def init_text(init: str) -> str:
    """What the page calls an init: `random start`; any other than those of the paper by its own name."""
    return INITS.get(init, init.replace("_", " "))


@dataclass(frozen=True)
class Group:
    """The cells that share a strategy and an init: one per seed."""

    strategy: str
    init: str
    rows: tuple[ResultRow, ...]

    @property
    def scores(self) -> list[float]:
        """The test scores of the cells that have one."""
        return [row.test for row in self.rows if row.test is not None]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def sd(self) -> float | None:
        """The sample standard deviation over seeds; None for fewer than two."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def share(self) -> float | None:
        """The mean share of the way from chance to the teacher."""
        shares = [row.share_of_teacher for row in self.rows if row.share_of_teacher is not None]
        return statistics.fmean(shares) if shares else None

    def metric(self, name: str) -> float | None:
        """The mean of a final metric over the cells that have it."""
        values = [row.metrics[name] for row in self.rows if name in row.metrics]
        return statistics.fmean(values) if values else None


@dataclass(frozen=True)
class Section:
    """One model on one task, at one value of each further axis."""

    model: str
    task: str
    axes: dict[str, str]
    """Short name of each further axis -> its value, short too: `lr` -> `2e-4`."""
    metric: str
    signature: str
    groups: tuple[Group, ...]

    @property
    def title(self) -> str:
        return " · ".join(filter(None, [f"{self.model} on {self.task}", self.axes_text]))

    @property
    def axes_text(self) -> str:
        """`lr=2e-4 · hidden=3`"""
        return " · ".join(f"{name}={value}" for name, value in self.axes.items())

    @property
    def inits(self) -> list[str]:
        return list(dict.fromkeys(group.init for group in self.groups))

    @property
    def strategies(self) -> list[str]:
        return list(dict.fromkeys(group.strategy for group in self.groups))

    @property
    def rows(self) -> list[ResultRow]:
        return [row for group in self.groups for row in group.rows]

    @property
    def teacher_test(self) -> float | None:
        return next((row.teacher_test for row in self.rows if row.teacher_test is not None), None)

    @property
    def chance(self) -> float | None:
        """What `share_of_teacher` counts from; None while the teacher is not made."""
        return next((row.chance for row in self.rows if row.chance is not None), None)

    @property
    def stacks(self) -> list[str]:
        """The stacks that angles were measured in."""
        names = (name.split("/") for row in self.rows for name in row.metrics if name.startswith(ANGLE))
        return sorted({parts[1] for parts in names}, reverse=True)  # encoder before decoder

    def of(self, init: str) -> list[Group]:
        return [group for group in self.groups if group.init == init]


@dataclass(frozen=True)
class Comparison:
    """Matching against `none` and matching strategies against each other, for one init. Scores are means over seeds."""

    none: float | None
    matching: dict[str, float]
    num_seeds: int
    """The smallest number of seeds behind any of the means."""

    @property
    def gain(self) -> float | None:
        """The mean over the matching strategies minus the score of `none`."""
        if self.none is None or not self.matching:
            return None
        return statistics.fmean(self.matching.values()) - self.none

    @property
    def spread(self) -> float | None:
        """The best matching strategy minus the worst; None for fewer than two."""
        values = self.matching.values()
        return max(values) - min(values) if len(values) > 1 else None


def sections(rows: Iterable[ResultRow]) -> list[Section]:
    """The sections of the cells, by model, task and further axes, in the order of their first cells.

    A cell that an axis does not affect (as `losses.hidden` does not affect one without matching) stands in the section
    of every value of that axis.
    """
    table = list(rows)
    teacher_rows = {row.teacher: row for row in table if row.kind == "teacher"}
    names = short_names(table)
    cells = [row for row in table if row.kind == "cell"]
    places = [_Place(row.model, row.task, frozenset(row.axes.items())) for row in cells]
    complete = [each for each in dict.fromkeys(places) if not any(each.is_part_of(other) for other in places)]
    return [
        _section(
            [row for row, at in zip(cells, places, strict=True) if at == place or at.is_part_of(place)],
            teacher_rows,
            names,
        )
        for place in complete
    ]


def short_names(rows: Iterable[ResultRow]) -> dict[str, str]:
    """The further axes of these rows in their order: field of the config -> short name, `lr` for a learning rate."""
    longest_first = sorted((list(row.axes) for row in rows), key=len, reverse=True)
    return axis_names(list(dict.fromkeys(axis for axes in longest_first for axis in axes)))


class _Place(NamedTuple):
    """The section of a cell, or a part of it where some axes do not affect the cell."""

    model: str
    task: str
    axes: frozenset[tuple[str, str]]

    def is_part_of(self, other: _Place) -> bool:
        """Whether the other has the same model and task, and these axes and more."""
        return self[:2] == other[:2] and self.axes < other.axes


def _section(cells: Sequence[ResultRow], teacher_rows: Mapping[str, ResultRow], names: Mapping[str, str]) -> Section:
    groups: dict[tuple[str, str], list[ResultRow]] = {}
    for row in cells:
        groups.setdefault((row.strategy, row.init), []).append(row)
    first = max(cells, key=lambda row: len(row.axes))
    teacher = [teacher_rows[first.teacher]] if first.teacher in teacher_rows else []
    return Section(
        model=first.model,
        task=first.task,
        axes={name: short_value(first.axes[field]) for field, name in names.items() if field in first.axes},
        metric=next((row.main_metric for row in (*cells, *teacher) if row.main_metric), "score"),
        signature=next((row.signature for row in cells if row.signature), ""),
        groups=tuple(Group(strategy, init, tuple(members)) for (strategy, init), members in groups.items()),
    )


def compare(groups: Iterable[Group]) -> Comparison:
    """Compares the groups of one section and one init; a baseline is neither `none` nor matching."""
    scored = [(group, group.mean) for group in groups]
    means = {group.strategy: mean for group, mean in scored if mean is not None and group.strategy not in BASELINES}
    none = means.pop(NO_MATCHING, None)
    return Comparison(none, means, min((len(group.scores) for group, mean in scored if mean is not None), default=0))
