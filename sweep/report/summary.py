"""Rows summed up: one section a model and task, scores over seeds, matching against none. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sweep.report.results import ResultRow
from sweep.tracking.tags import ANGLE

NO_MATCHING = "none"
INITS = {"random": "random start", "teacher": "teacher's weights"}


@dataclass(frozen=True)
class Group:
    """The cells that share strategy and init: one a seed."""

    strategy: str
    init: str
    rows: tuple[ResultRow, ...]

    @property
    def scores(self) -> list[float]:
        """The test metrics that there are."""
        return [row.test for row in self.rows if row.test is not None]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def sd(self) -> float | None:
        """The sample standard deviation over seeds; None below two."""
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
    """One model on one task, at one value of the further axes."""

    model: str
    task: str
    axes: dict[str, str]
    metric: str
    signature: str
    teacher_row: ResultRow | None
    groups: tuple[Group, ...]

    @property
    def title(self) -> str:
        axes = "".join(f" · {name}={value}" for name, value in self.axes.items())
        return f"{self.model} on {self.task}{axes}"

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
        """What `share_of_teacher` counts from; None where no row tells."""
        for row in self.rows:
            share = row.share_of_teacher
            if share is not None and share != 1 and row.test is not None and row.teacher_test is not None:
                return round((row.test - share * row.teacher_test) / (1 - share), 9)
        return None

    @property
    def stacks(self) -> list[str]:
        """The stacks that angles were measured in."""
        names = (name.split("/") for row in self.rows for name in row.metrics if name.startswith(ANGLE))
        return sorted({parts[1] for parts in names}, reverse=True)  # encoder before decoder

    def of(self, init: str) -> list[Group]:
        return [group for group in self.groups if group.init == init]


@dataclass(frozen=True)
class Comparison:
    """Matching against none, and matching strategies against each other, from one init. Means over seeds."""

    none: float | None
    matching: dict[str, float]
    num_seeds: int
    """The smallest number of seeds behind a mean."""

    @property
    def gain(self) -> float | None:
        """The mean over the matching strategies, less none."""
        if self.none is None or not self.matching:
            return None
        return statistics.fmean(self.matching.values()) - self.none

    @property
    def spread(self) -> float | None:
        """Best less worst matching strategy; None below two."""
        values = self.matching.values()
        return max(values) - min(values) if len(values) > 1 else None

    @property
    def num_better(self) -> int:
        """How many matching strategies scored above none."""
        return sum(self.none is not None and value > self.none for value in self.matching.values())


def sections(rows: Iterable[ResultRow]) -> list[Section]:
    """The rows of cells by model, task and further axes, in the order in which they first come.

    A cell on which an axis has no effect (`losses.hidden` on one without matching) stands in every section of the
    axis's values.
    """
    table = list(rows)
    teacher_rows = {row.teacher: row for row in table if row.kind == "teacher"}
    cells = [row for row in table if row.kind == "cell"]
    places = [_Place(row.model, row.task, frozenset(row.axes.items())) for row in cells]
    whole = [each for each in dict.fromkeys(places) if not any(each.is_part_of(other) for other in places)]
    rows_of = {
        place: [row for row, of in zip(cells, places, strict=True) if of == place or of.is_part_of(place)]
        for place in whole
    }
    return [_section(rows_of[place], teacher_rows) for place in whole]


class _Place(NamedTuple):
    """Where a cell stands."""

    model: str
    task: str
    axes: frozenset[tuple[str, str]]

    def is_part_of(self, other: _Place) -> bool:
        """Whether the other says more of the axes, and nothing else."""
        return self[:2] == other[:2] and self.axes < other.axes


def _section(cells: Sequence[ResultRow], teacher_rows: dict[str, ResultRow]) -> Section:
    groups: dict[tuple[str, str], list[ResultRow]] = {}
    for row in cells:
        groups.setdefault((row.strategy, row.init), []).append(row)
    first = max(cells, key=lambda row: len(row.axes))
    return Section(
        model=first.model,
        task=first.task,
        axes=first.axes,
        metric=next((row.main_metric for row in cells if row.main_metric), "metric"),
        signature=next((row.signature for row in cells if row.signature), ""),
        teacher_row=teacher_rows.get(first.teacher),
        groups=tuple(Group(strategy, init, tuple(members)) for (strategy, init), members in groups.items()),
    )


def compare(groups: Iterable[Group]) -> Comparison:
    """Compares the groups of one section and one init."""
    scored = [(group, group.mean) for group in groups]
    means = {group.strategy: mean for group, mean in scored if mean is not None}
    none = means.pop(NO_MATCHING, None)
    return Comparison(none, means, min((len(group.scores) for group, mean in scored if mean is not None), default=0))


def ranked(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """The cells with a score, the one that came nearest to its teacher on the validation split first.

    The test split reports what the validation split has chosen: the best of many test scores would be too good.
    """
    scored = [(row.best, row) for row in rows if row.kind == "cell" and row.best is not None]
    return [row for _, row in sorted(scored, key=lambda each: _nearness(*each), reverse=True)]


def _nearness(best: float, row: ResultRow) -> tuple[bool, float, float]:
    """What a row is ranked by; one without a share of the way comes after those that have one."""
    return row.validation_share is not None, row.validation_share or 0.0, best
