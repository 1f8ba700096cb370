"""Deletes the students that a sweep does not keep, once it has ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sweep.grid.cells import Cell
from sweep.records.records import Records
from sweep.records.stored import CellResult
from sweep.tracking.tags import best_metric


def students(keep: Literal["best", "all", "none"], cells: Iterable[Cell], records: Records) -> None:
    """Deletes the students that are not kept. `best` keeps the best student of each model and task.

    Among equal students the first is kept, so that the same command keeps the same one again. It is no error if
    another sweep has already deleted a student.
    """
    if keep == "all":
        return
    results = {cell.fingerprint: records.cell(cell.fingerprint).result() for cell in cells}
    best: dict[tuple[str, str], str] = {}
    for cell in cells:
        result = results[cell.fingerprint]
        if keep == "none" or result is None:
            continue
        group = (cell.teacher_hash, cell.data)
        if group not in best or _score(result) > _score(results[best[group]]):
            best[group] = cell.fingerprint
    for fingerprint, result in results.items():
        if result is not None and fingerprint not in best.values():
            records.storage.delete(f"cells/{fingerprint}/attempts/{result.attempt}/student")


def _score(result: CellResult | None) -> float:
    assert result is not None
    return result.metrics[best_metric(result.main_metric)]
