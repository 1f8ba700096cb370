"""The records of cells and teachers: their attempts, the journals of these, and one result that is created once.

    cells/<fingerprint>/cell.json                      what the cell is
    cells/<fingerprint>/attempts/<n>/attempt.json      its sweep, its host and its start
                                     journal/<k>.jsonl segments of metric rows, each written once
                                     checkpoints/      where a later attempt can continue (sweep/records/checkpoints.py)
                                     failed.json       the reason why the attempt ended without a result
                                     metrics/          metrics of plug-ins that were measured afterwards, each once
                                     ...               artifacts: angles.npz, per_state.json, student/
    cells/<fingerprint>/result.json                    the result, with the attempt that produced it
    teachers/<hash>/attempts/<n>/...                   the same, with model/ for student/
    teachers/<hash>/teacher.json                       the result, with the attempt that produced it

`result.json` and `teacher.json` are manifests. An attempt stores its files first and creates the manifest last. Its
files count only once the manifest names the attempt, and only one attempt can create the manifest.
sweep/records/stored.py defines the contents of the JSON files.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from sweep.records.journal import Journal, JournalRow
from sweep.records.storage import Storage
from sweep.records.stored import AttemptFailure, AttemptStart, CellResult, Result, TeacherResult, dump_json

RecordKind = Literal["cell", "teacher"]
"""What a record describes. The job that produces it and the run that shows it are of the same kind."""
State = Literal["done", "failed", "missing"]
CHECKPOINTS = "checkpoints"
"""The folder of an attempt's checkpoints."""


@dataclass(frozen=True)
class Records:
    """All records of a storage."""

    storage: Storage

    def cell(self, fingerprint: str) -> CellRecord:
        return CellRecord(self.storage, fingerprint)

    def teacher(self, teacher_hash: str) -> TeacherRecord:
        return TeacherRecord(self.storage, teacher_hash)

    def of(self, kind: RecordKind, identity: str) -> Record:
        return self.cell(identity) if kind == "cell" else self.teacher(identity)

    def cells(self) -> list[str]:
        """The fingerprints of the cells of which something is stored."""
        return self.storage.list(CellRecord.folder_name)

    def teachers(self) -> list[str]:
        """The hashes of the teachers of which something is stored."""
        return self.storage.list(TeacherRecord.folder_name)


@dataclass(frozen=True)
class Record(ABC):
    """The record of a cell or of a teacher."""

    storage: Storage
    identity: str
    """The fingerprint, or the teacher's hash."""

    folder_name: ClassVar[str]
    manifest_name: ClassVar[str]

    @abstractmethod
    def result(self) -> Result | None:
        """The result, with the attempt that produced it; None if there is none yet."""

    @property
    def root(self) -> str:
        return f"{self.folder_name}/{self.identity}"

    @property
    def manifest_path(self) -> str:
        return f"{self.root}/{self.manifest_name}"

    def attempts(self) -> list[int]:
        return sorted(int(name) for name in self.storage.list(f"{self.root}/attempts") if name.isdecimal())

    def attempt(self, number: int) -> AttemptStart:
        """The sweep and the host of an attempt, and when it began."""
        start = AttemptStart.read(self.storage, f"{self.root}/attempts/{number}/attempt.json")
        assert start is not None, f"{self.root} has no attempt {number}"
        return start

    def last_failure(self) -> AttemptFailure | None:
        """Why the last attempt failed, for whatever reason; None if there is a result or it was interrupted."""
        attempts = self.attempts()
        if not attempts or self.result() is not None:
            return None
        return self.failure_of(attempts[-1])

    def failure_of(self, number: int) -> AttemptFailure | None:
        """Why an attempt failed; None if it gave the result, was interrupted or still runs."""
        return AttemptFailure.read(self.storage, f"{self.root}/attempts/{number}/failed.json")

    def failure(self) -> AttemptFailure | None:
        """Why the cell or teacher failed by itself, so that a retry would fail again; None if it did not."""
        failure = self.last_failure()
        return failure if failure and failure.by_itself else None

    def state(self) -> State:
        """The state; missing also if an attempt was interrupted or failed for a reason outside the cell."""
        if self.result() is not None:
            return "done"
        return "failed" if self.failure() else "missing"

    def begin(self, start: AttemptStart) -> Attempt:
        """A new attempt. Its number is unique, even if other processes begin attempts at the same time."""
        number = max(self.attempts(), default=0) + 1
        while not self.storage.create(f"{self.root}/attempts/{number}/attempt.json", start.dump()):
            number += 1
        return self.existing(number)

    def existing(self, number: int) -> Attempt:
        """An attempt that has begun."""
        place = f"{self.root}/attempts/{number}"
        return Attempt(self, number, self.storage.workspace(place), self._journal(number))

    def shown_attempt(self) -> int | None:
        """The attempt that produced the result, else the last attempt; None if there is none."""
        result = self.result()
        return result.attempt if result else max(self.attempts(), default=None)

    def chain(self, number: int) -> list[int]:
        """An attempt and those that it continues, the first one first."""
        numbers: list[int] = [number]
        while (earlier := self.attempt(numbers[0]).continues) is not None:
            numbers.insert(0, earlier)
        return numbers

    def last_in_chain(self, number: int) -> int:
        """The last attempt that is this one, or that continues it, directly or through others."""
        return next(later for later in reversed(self.attempts()) if number in self.chain(later))

    def journal(self) -> list[JournalRow]:
        """The rows of the shown attempt and of those that it continues, in the order of writing."""
        number = self.shown_attempt()
        return [] if number is None else self.journal_of(number)

    def journal_of(self, number: int) -> list[JournalRow]:
        """The rows of an attempt and of those that it continues, in the order of writing."""
        return [row for each in self.chain(number) for row in self._journal(each).read()]

    def last_row(self) -> JournalRow | None:
        """The last row of `journal`, without reading its other segments."""
        number = self.shown_attempt()
        chain = [] if number is None else self.chain(number)
        return next((row for each in reversed(chain) if (row := self._journal(each).last())), None)

    def _journal(self, number: int) -> Journal:
        return Journal(self.storage, f"{self.root}/attempts/{number}/journal")

    def path(self, name: str) -> Path | None:
        """An artifact of the attempt that produced the result, as a file or folder on this machine."""
        result = self.result()
        return self.storage.local(f"{self.root}/attempts/{result.attempt}/{name}") if result else None


@dataclass(frozen=True)
class CellRecord(Record):
    """One cell's record."""

    folder_name: ClassVar[str] = "cells"
    manifest_name: ClassVar[str] = "result.json"

    def declare(self, config: dict[str, Any]) -> None:
        """Stores what the cell is, unless that is stored already."""
        self.storage.create(f"{self.root}/cell.json", dump_json(config))

    def result(self) -> CellResult | None:
        return CellResult.read(self.storage, self.manifest_path)


@dataclass(frozen=True)
class TeacherRecord(Record):
    """One teacher's record."""

    folder_name: ClassVar[str] = "teachers"
    manifest_name: ClassVar[str] = "teacher.json"

    def result(self) -> TeacherResult | None:
        return TeacherResult.read(self.storage, self.manifest_path)

    def location(self) -> str:
        """The argument for `from_pretrained`: a folder on this machine, or the path or hub id of a ready teacher."""
        result = self.result()
        assert result is not None, f"there is no teacher {self.identity} yet"
        location = result.path or self.path("model")
        assert location is not None, f"the model of teacher {self.identity} is gone"
        return str(location)


@dataclass(frozen=True)
class Attempt:
    """One attempt at a cell or a teacher. The files in `folder` are kept."""

    record: Record
    number: int
    folder: Path
    journal: Journal

    def stored(self, name: str) -> str:
        """The path of an artifact relative to the record, as in manifests."""
        return f"attempts/{self.number}/{name}"

    def commit(self, result: Result) -> Result:
        """Stores the folder, then creates the manifest. Returns the manifest, which may be that of another attempt.

        The checkpoints are deleted, because a finished record needs none. With a remote storage, `folder`
        no longer exists afterwards; `record.path` gives its files.
        """
        assert result.attempt == self.number
        self.record.storage.put(self.folder, f"{self.record.root}/attempts/{self.number}")
        self.record.storage.create(self.record.manifest_path, result.dump())
        for number in range(1, self.number + 1):
            self.record.storage.delete(f"{self.record.root}/attempts/{number}/{CHECKPOINTS}")
        stands = self.record.result()
        assert stands is not None
        return stands

    def fail(
        self,
        reason: str,
        message: str,
        traceback: str = "",
        *,
        by_itself: bool,
        fault: str | None = None,
        batches: int | None = None,
    ) -> None:
        """Ends the attempt without a result. `by_itself`: a retry would fail again, so there is none."""
        failure = AttemptFailure(
            reason=reason,
            message=message,
            traceback=traceback,
            by_itself=by_itself,
            fault=fault,
            batches=batches,
            time=now(),
        )
        self.record.storage.create(f"{self.record.root}/{self.stored('failed.json')}", failure.dump())


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
