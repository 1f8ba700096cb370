"""Deletes the students that a sweep does not keep, once it has ended."""

from __future__ import annotations

from collections.abc import Iterable

from sweep.grid.cells import Cell
from sweep.records.archive import CellKey, Keep
from sweep.records.records import Records
from sweep.students.needed import Needed


def students(keep: Keep, cells: Iterable[Cell], records: Records, name: str) -> None:
    """Deletes the students that neither the sweep of this name nor another one of the storage keeps."""
    keys = [CellKey.of(cell) for cell in cells]
    needed = Needed(records)
    kept = needed.students(keep, keys)
    doomed = {key.fingerprint for key in keys if key.fingerprint not in kept and needed.has_student(key.fingerprint)}
    for other in needed.outlines(without=name) if doomed else ():
        if doomed & {cell.fingerprint for cell in other.cells}:
            doomed -= needed.students(other.keep, other.cells)
    for fingerprint in sorted(doomed):
        result = needed.result(fingerprint)
        assert result is not None
        records.storage.delete(f"{records.cell(fingerprint).root}/{result.student}")
