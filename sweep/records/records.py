"""The truth about cells and teachers: attempts, their journals, and one result created once.

    cells/<fingerprint>/cell.json                      what the cell is
    cells/<fingerprint>/attempts/<n>/attempt.json      who tries, where, since when
                                     journal/<k>.jsonl segments of metric rows, each written once
                                     failed.json       why this attempt ended without a result
                                     ...               artifacts: angles.npz, per_state.json, student/
    cells/<fingerprint>/result.json                    names the attempt that made it
    teachers/<hash>/                                   the same with config.json, teacher.json, and model/

Data first, the manifest last: an attempt's files count only once the manifest names it, and only one attempt
can create the manifest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypedDict

from sweep.records.storage import Storage

Facts = dict[str, Any]
State = Literal["done", "failed", "missing"]
CHECKPOINT = "last.pt"
"""An attempt's last state, to go on from where it is cut off."""


class JournalRow(TypedDict):
    """What was measured at one optimiser step; `time` in milliseconds since the epoch."""

    step: int
    time: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Records:
    """All records of a storage."""

    storage: Storage

    def cell(self, fingerprint: str) -> Record:
        return Record(self.storage, fingerprint)

    def teacher(self, teacher_hash: str) -> TeacherRecord:
        return TeacherRecord(self.storage, teacher_hash)


@dataclass(frozen=True)
class Record:
    """One cell's record."""

    storage: Storage
    identity: str
    """The fingerprint, or the teacher's hash."""

    folder_name: ClassVar[str] = "cells"
    declaration_name: ClassVar[str] = "cell.json"
    manifest_name: ClassVar[str] = "result.json"
    identity_key: ClassVar[str] = "cell"

    @property
    def root(self) -> str:
        return f"{self.folder_name}/{self.identity}"

    def declare(self, config: Facts) -> None:
        """Writes down what the cell is, where that has not been done."""
        self.storage.create(f"{self.root}/{self.declaration_name}", _dump(config))

    def result(self) -> Facts | None:
        """The manifest: the one result, with the attempt that made it; None: there is none yet."""
        return self._read(self.manifest_name)

    def attempts(self) -> list[int]:
        return sorted(int(name) for name in self.storage.list(f"{self.root}/attempts") if name.isdecimal())

    def attempt(self, number: int) -> Facts:
        """Who made an attempt, where and since when."""
        return self._read(f"attempts/{number}/attempt.json") or {}

    def last_failure(self) -> Facts | None:
        """Why the last attempt gave up, for whatever reason; None: it has a result, or was cut off."""
        attempts = self.attempts()
        if not attempts or self.result() is not None:
            return None
        return self._read(f"attempts/{attempts[-1]}/failed.json")

    def failure(self) -> Facts | None:
        """Why the cell itself failed, which another try would not change."""
        failure = self.last_failure()
        return failure if failure and failure["by_itself"] else None

    def state(self) -> State:
        """What is to be done with the cell; a cell that was cut off, or failed for a reason outside, is missing."""
        if self.result() is not None:
            return "done"
        return "failed" if self.failure() else "missing"

    def begin(self, info: Facts) -> Attempt:
        """A new attempt, with a number of its own whoever else begins one at the same time."""
        number = max(self.attempts(), default=0) + 1
        started = _dump({**info, "time": now()})
        while not self.storage.create(f"{self.root}/attempts/{number}/attempt.json", started):
            number += 1
        place = f"{self.root}/attempts/{number}"
        return Attempt(self, number, self.storage.workspace(place), Journal(self.storage, f"{place}/journal"))

    def shown_attempt(self) -> int | None:
        """The attempt that made the result, or else the last one."""
        result = self.result()
        return result.get("attempt") if result else max(self.attempts(), default=None)

    def journal(self) -> list[JournalRow]:
        """The rows of the attempt that made the result, or else of the last one, in the order of writing."""
        number = self.shown_attempt()
        return [] if number is None else Journal(self.storage, f"{self.root}/attempts/{number}/journal").read()

    def last_row(self) -> JournalRow | None:
        """The last row of `journal`, for which the others are not read."""
        number = self.shown_attempt()
        return None if number is None else Journal(self.storage, f"{self.root}/attempts/{number}/journal").last()

    def path(self, name: str) -> Path | None:
        """An artifact of the attempt that made the result, as a file or folder of this machine."""
        result = self.result()
        number = result.get("attempt") if result else None
        return None if number is None else self.storage.local(f"{self.root}/attempts/{number}/{name}")

    def close(self, manifest: Facts) -> Facts:
        """Creates the manifest; returns the one that stands, which may be another attempt's."""
        facts = {self.identity_key: self.identity, **manifest, "time": now()}
        self.storage.create(f"{self.root}/{self.manifest_name}", _dump(facts))
        stands = self.result()
        assert stands is not None
        return stands

    def _read(self, name: str) -> Facts | None:
        data = self.storage.read(f"{self.root}/{name}")
        return None if data is None else json.loads(data)


@dataclass(frozen=True)
class TeacherRecord(Record):
    """One teacher's record. A ready teacher has no attempt: `close({"path": …, …})` is all of it."""

    folder_name: ClassVar[str] = "teachers"
    declaration_name: ClassVar[str] = "config.json"
    manifest_name: ClassVar[str] = "teacher.json"
    identity_key: ClassVar[str] = "hash"

    def manifest(self) -> Facts | None:
        return self.result()

    def location(self) -> str:
        """Where `from_pretrained` finds the teacher: a folder of this machine, or the path of a ready one."""
        manifest = self.result()
        assert manifest is not None, f"no teacher {self.identity} yet"
        folder = self.path("model")
        return str(folder) if folder else manifest["path"]


@dataclass(frozen=True)
class Journal:
    """Rows of metrics in segments, each a file that is written once."""

    storage: Storage
    root: str

    def write(self, rows: Iterable[JournalRow]) -> None:
        """Adds a segment; one writer at a time."""
        segment = f"{self.root}/{len(self.storage.list(self.root)):06d}.jsonl"
        created = self.storage.create(segment, b"".join(_dump(row) + b"\n" for row in rows))
        assert created, f"{segment} has a second writer"

    def read(self) -> list[JournalRow]:
        segments = [self.storage.read(f"{self.root}/{name}") for name in self.storage.list(self.root)]
        return [json.loads(line) for segment in segments if segment for line in segment.splitlines()]

    def last(self) -> JournalRow | None:
        """The last row; None where nothing has been measured."""
        names = self.storage.list(self.root)
        segment = self.storage.read(f"{self.root}/{names[-1]}") if names else None
        return json.loads(segment.splitlines()[-1]) if segment else None


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

    def commit(self, result: Facts) -> Facts:
        """Stores the folder, then creates the manifest; returns the one that stands, perhaps another attempt's.

        The checkpoint goes: nobody resumes what is finished. With a remote storage `folder` is gone afterwards:
        read through `record.path`.
        """
        (self.folder / CHECKPOINT).unlink(missing_ok=True)
        self.record.storage.put(self.folder, f"{self.record.root}/attempts/{self.number}")
        return self.record.close({**result, "attempt": self.number})

    def fail(self, reason: str, message: str, traceback: str = "", *, by_itself: bool) -> None:
        """Ends the attempt. `by_itself`: the cell would fail again, so it is not tried again."""
        failure = {"reason": reason, "message": message, "traceback": traceback, "by_itself": by_itself}
        self.record.storage.create(
            f"{self.record.root}/{self.stored('failed.json')}", _dump({**failure, "time": now()})
        )


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
