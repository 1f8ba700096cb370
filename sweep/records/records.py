"""The truth about cells and teachers: attempts, their journals, and one result created once.

    cells/<fingerprint>/cell.json                      what the cell is
    cells/<fingerprint>/attempts/<n>/attempt.json      who tries, where, since when
                                     journal/<k>.jsonl segments of metric rows, each written once
                                     checkpoints/      where a later attempt can continue (sweep/records/checkpoints.py)
                                     failed.json       why this attempt ended without a result
                                     ...               artifacts: angles.npz, per_state.json, student/
    cells/<fingerprint>/result.json                    names the attempt that made it
    teachers/<hash>/attempts/<n>/...                   the same, with model/ for student/
    teachers/<hash>/teacher.json                       names the attempt that made it

Data first, the manifest last: an attempt's files count only once the manifest names it, and only one attempt
can create the manifest. sweep/records/stored.py has the files' contents.
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
"""What a record is of, and so a job that makes it and a run that shows it."""
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
        """The manifest: the one result, with the attempt that made it; None: there is none yet."""

    @property
    def root(self) -> str:
        return f"{self.folder_name}/{self.identity}"

    @property
    def manifest_path(self) -> str:
        return f"{self.root}/{self.manifest_name}"

    def attempts(self) -> list[int]:
        return sorted(int(name) for name in self.storage.list(f"{self.root}/attempts") if name.isdecimal())

    def attempt(self, number: int) -> AttemptStart:
        """Who made an attempt, where and since when."""
        start = AttemptStart.read(self.storage, f"{self.root}/attempts/{number}/attempt.json")
        assert start is not None, f"{self.root} has no attempt {number}"
        return start

    def last_failure(self) -> AttemptFailure | None:
        """Why the last attempt gave up, for whatever reason; None: it has a result, or was cut off."""
        attempts = self.attempts()
        if not attempts or self.result() is not None:
            return None
        return AttemptFailure.read(self.storage, f"{self.root}/attempts/{attempts[-1]}/failed.json")

    def failure(self) -> AttemptFailure | None:
        """Why the cell itself failed, which another try would not change."""
        failure = self.last_failure()
        return failure if failure and failure.by_itself else None

    def state(self) -> State:
        """What is to be done with the cell; a cell that was cut off, or failed for a reason outside, is missing."""
        if self.result() is not None:
            return "done"
        return "failed" if self.failure() else "missing"

    def begin(self, *, host: str, computed_by: str, sweep: str, continues: int | None = None) -> Attempt:
        """A new attempt, with a number of its own whoever else begins one at the same time.

        `continues`: the number of the attempt that it continues from a checkpoint.
        """
        number = max(self.attempts(), default=0) + 1
        start = AttemptStart(host=host, computed_by=computed_by, sweep=sweep, time=now(), continues=continues).dump()
        while not self.storage.create(f"{self.root}/attempts/{number}/attempt.json", start):
            number += 1
        place = f"{self.root}/attempts/{number}"
        return Attempt(self, number, self.storage.workspace(place), self._journal(number))

    def shown_attempt(self) -> int | None:
        """The attempt that made the result, or else the last one."""
        result = self.result()
        return result.attempt if result else max(self.attempts(), default=None)

    def chain(self, number: int) -> list[int]:
        """An attempt and those that it continues, the first one first."""
        numbers: list[int] = [number]
        while (earlier := self.attempt(numbers[0]).continues) is not None:
            numbers.insert(0, earlier)
        return numbers

    def journal(self) -> list[JournalRow]:
        """The rows of the shown attempt and of those that it continues, in the order of writing."""
        number = self.shown_attempt()
        return [] if number is None else self.journal_of(number)

    def journal_of(self, number: int) -> list[JournalRow]:
        """The rows of an attempt and of those that it continues, in the order of writing."""
        return [row for each in self.chain(number) for row in self._journal(each).read()]

    def last_row(self) -> JournalRow | None:
        """The last row of `journal`, for which the others are not read."""
        number = self.shown_attempt()
        chain = [] if number is None else self.chain(number)
        return next((row for each in reversed(chain) if (row := self._journal(each).last())), None)

    def _journal(self, number: int) -> Journal:
        return Journal(self.storage, f"{self.root}/attempts/{number}/journal")

    def path(self, name: str) -> Path | None:
        """An artifact of the attempt that made the result, as a file or folder of this machine."""
        result = self.result()
        return self.storage.local(f"{self.root}/attempts/{result.attempt}/{name}") if result else None


@dataclass(frozen=True)
class CellRecord(Record):
    """One cell's record."""

    folder_name: ClassVar[str] = "cells"
    manifest_name: ClassVar[str] = "result.json"

    def declare(self, config: dict[str, Any]) -> None:
        """Writes down what the cell is, where that has not been done."""
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
        """Where `from_pretrained` finds the teacher: a folder of this machine, or the path of a ready one."""
        result = self.result()
        assert result is not None, f"there is no teacher {self.identity} yet"
        location = result.path or self.path("model")
        assert location is not None, f"the model of teacher {self.identity} is gone"
        return str(location)


@dataclass(frozen=True)
class Attempt:
    """One try of a cell or a teacher. What is to be kept of it is put into `folder`."""

    record: Record
    number: int
    folder: Path
    journal: Journal

    def stored(self, name: str) -> str:
        """An artifact's path in the record, as manifests name it."""
        return f"attempts/{self.number}/{name}"

    def commit(self, result: Result) -> Result:
        """Stores the folder, then creates the manifest; returns the one that stands, perhaps another attempt's.

        The checkpoints are deleted, because a finished record needs none. With a remote storage `folder` is gone
        afterwards: read through `record.path`.
        """
        assert result.attempt == self.number
        self.record.storage.put(self.folder, f"{self.record.root}/attempts/{self.number}")
        self.record.storage.create(self.record.manifest_path, result.dump())
        for number in range(1, self.number + 1):
            self.record.storage.delete(f"{self.record.root}/attempts/{number}/{CHECKPOINTS}")
        stands = self.record.result()
        assert stands is not None
        return stands

    def fail(self, reason: str, message: str, traceback: str = "", *, by_itself: bool) -> None:
        """Ends the attempt. `by_itself`: the cell would fail again, so it is not tried again."""
        failure = AttemptFailure(reason=reason, message=message, traceback=traceback, by_itself=by_itself, time=now())
        self.record.storage.create(f"{self.record.root}/{self.stored('failed.json')}", failure.dump())


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
