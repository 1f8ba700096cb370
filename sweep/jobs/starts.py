"""Where the cells of a trial continue: cells at the same step are trained in lockstep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sweep.records import checkpoints
from sweep.records.checkpoints import Point, Start
from sweep.records.records import Record

Group = list[tuple[Record, Start | None]]
"""Records at the same step, each with its checkpoint; None: it starts anew."""


def groups(records: Sequence[Record]) -> list[Group]:
    """The records by the step at which they continue; together at the last step that all of them have, if any."""
    points = {record.identity: checkpoints.points(record) for record in records}
    for step in _common(points.values()):
        starts = {record.identity: _load(record, points[record.identity], step) for record in records}
        if all(starts.values()):
            return [[(record, starts[record.identity]) for record in records]]
    by_step: dict[int, Group] = {}
    for record in records:
        start = _last(record, points[record.identity])
        by_step.setdefault(start.point.step if start else 0, []).append((record, start))
    return list(by_step.values())


def _common(points: Iterable[Sequence[Point]]) -> list[int]:
    """The steps of which all records have a checkpoint, the last one first."""
    steps = [{point.step for point in each} for each in points]
    return sorted(set.intersection(*steps), reverse=True)


def _load(record: Record, points: Sequence[Point], step: int) -> Start | None:
    at_step = [point for point in points if point.step == step]
    return next((start for point in reversed(at_step) if (start := checkpoints.load(record, point))), None)


def _last(record: Record, points: Sequence[Point]) -> Start | None:
    """The intact checkpoint of the highest step."""
    in_order = sorted(points, key=lambda point: (point.step, point.attempt), reverse=True)
    return next((start for point in in_order if (start := checkpoints.load(record, point))), None)
