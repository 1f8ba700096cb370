"""How large and how fast teachers and students are: one line per shape, and their scores in two pictures per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sweep.report.leaderboard import ranked
from sweep.report.picture import Picture
from sweep.report.plots.sizes import Point, size_plot
from sweep.report.results import ResultRow
from trainables.size import BATCHES, Size

TEACHER = "teacher"
MOST = BATCHES[-1]
"""The batch size of the picture of speeds."""


class SizeLine(NamedTuple):
    """A teacher, or the best of the students of one shape; `num_students` counts these."""

    row: ResultRow
    size: Size
    num_students: int

    @property
    def who(self) -> str:
        """`teacher`, or the words of the student."""
        return TEACHER if self.row.kind == "teacher" else self.row.words


@dataclass(frozen=True)
class SizePictures:
    """The scores of one task against size and against speed."""

    caption: str
    pictures: list[Picture]


def size_lines(rows: Sequence[ResultRow]) -> list[SizeLine]:
    """Of each model and task the teacher, then the best student of each shape; without models that were not measured.

    Which student is the best is decided on the validation split. The speed is that of the shape.
    """
    shapes = _shapes(rows)
    lines: list[SizeLine] = []
    for teacher in (row for row in rows if row.kind == "teacher" and row.size):
        lines.append(SizeLine(teacher, _size(teacher), 0))
        own = [members for (name, *_), members in shapes.items() if name == teacher.teacher]
        lines += [SizeLine(members[0], _of_shape(members), len(members)) for members in own]
    return lines


def draw_sizes(rows: Sequence[ResultRow], colours: Mapping[str, str]) -> list[SizePictures]:
    """The test scores of each task against size and speed; none for a task whose students were not measured."""
    students = [replace(row, size=_of_shape(members)) for members in _shapes(rows).values() for row in members]
    teachers = [row for row in rows if row.kind == "teacher" and row.size]
    measured = [row for row in (*teachers, *students) if row.test is not None]
    tasks = dict.fromkeys((row.task, row.main_metric) for row in students)
    return [_draw([row for row in measured if row.task == task], task, metric, colours) for task, metric in tasks]


def _shapes(rows: Sequence[ResultRow]) -> dict[tuple[str, int, int], list[ResultRow]]:
    """Teacher and numbers of parameters -> the students of this shape, the best first."""
    shapes: dict[tuple[str, int, int], list[ResultRow]] = {}
    for row in ranked(rows):
        if row.size:
            key = (row.teacher, row.size.parameters, row.size.without_embeddings)
            shapes.setdefault(key, []).append(row)
    return shapes


def _of_shape(members: Sequence[ResultRow]) -> Size:
    """The size of students of one shape. They are equally fast, so the fastest measurement was disturbed the least."""
    rates = [_size(row).examples_per_second for row in members]
    batches = [batch for batch in BATCHES if any(batch in each for each in rates)]
    fastest = {batch: max(each[batch] for each in rates if batch in each) for batch in batches}
    return replace(_size(members[0]), examples_per_second=fastest)


def _draw(rows: Sequence[ResultRow], task: str, metric: str, colours: Mapping[str, str]) -> SizePictures:
    sizes = [_point(row, _size(row).parameters / 1e6) for row in rows]
    speeds = [_point(row, rate) for row in rows if (rate := _size(row).examples_per_second.get(MOST))]
    drawn = {"million parameters": sizes, f"examples per second, in batches of {MOST}": speeds}
    pictures = [
        Picture.of(size_plot(points, name, metric, colours), f"Test {metric} against {name}: {task}")
        for name, points in drawn.items()
        if points
    ]
    return SizePictures(task, pictures)


def _point(row: ResultRow, value: float) -> Point:
    return Point(row.strategy if row.kind == "cell" else None, value, row.test or 0.0)


def _size(row: ResultRow) -> Size:
    assert row.size is not None
    return row.size
