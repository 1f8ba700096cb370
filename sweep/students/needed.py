"""What the sweeps of a storage ask to be kept: their cells and teachers, and the students that `keep` names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sweep.records.archive import CellKey, Keep, Outline, outlines
from sweep.records.records import Records
from sweep.records.stored import CellResult
from sweep.tracking.tags import best_metric


@dataclass
class Needed:
    """Reads each result once; what is written later is not seen."""

    records: Records
    _results: dict[str, CellResult | None] = field(default_factory=dict[str, CellResult | None])

    def outlines(self, without: str = "") -> list[Outline]:
        """The sweeps of the storage but the one of this name."""
        return [outline for outline in outlines(self.records.storage) if outline.name != without]

    def result(self, fingerprint: str) -> CellResult | None:
        if fingerprint not in self._results:
            self._results[fingerprint] = self.records.cell(fingerprint).result()
        return self._results[fingerprint]

    def students(self, keep: Keep, cells: Iterable[CellKey]) -> set[str]:
        """Fingerprints of the cells whose students stay; `best` is the best one of each teacher and its data.

        Among equal students the first is the best, so that the same sweep names the same one again.
        """
        scores = {cell: self._score(cell.fingerprint) for cell in cells} if keep != "none" else {}
        finished = {cell: score for cell, score in scores.items() if score is not None}
        if keep == "all":
            return {cell.fingerprint for cell in finished}
        best: dict[tuple[str, str], CellKey] = {}
        for cell, score in finished.items():
            group = (cell.teacher, cell.data)
            if group not in best or score > finished[best[group]]:
                best[group] = cell
        return {cell.fingerprint for cell in best.values()}

    def lost(self, keep: Keep, cells: Iterable[CellKey]) -> list[str]:
        """Of these students, those that are no longer in the storage; of a `best`, once all its rivals are finished."""
        cells = list(cells)
        begun = set(self.records.cells())  # one listing, instead of a look for each of thousands
        self._results |= {cell.fingerprint: None for cell in cells if cell.fingerprint not in begun}
        waiting = {(cell.teacher, cell.data) for cell in cells if self.result(cell.fingerprint) is None}
        settled = [cell for cell in cells if (cell.teacher, cell.data) not in waiting]
        return [key for key in sorted(self.students(keep, settled)) if not self.has_student(key)]

    def has_student(self, fingerprint: str) -> bool:
        """Whether the student of a finished cell is in the storage."""
        result, record = self.result(fingerprint), self.records.cell(fingerprint)
        return result is not None and bool(record.storage.list(f"{record.root}/{result.student}"))

    def _score(self, fingerprint: str) -> float | None:
        result = self.result(fingerprint)
        return None if result is None else result.metrics[best_metric(result.main_metric)]
