"""Which students stay in the storage once a sweep has come to its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sweep.grid.cells import Cell
from sweep.records.records import Records
from sweep.records.stored import CellResult
from sweep.tracking.tags import best_metric


def students(keep: Literal["best", "all", "none"], cells: Iterable[Cell], records: Records) -> None:
    """Deletes the students that do not stay; `best`: the best of each model and task stays.

    Of equal students the first stays, so that running again keeps the same one. What another sweep has
    deleted before is not missed.
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
