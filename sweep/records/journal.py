"""The journal of an attempt: its measurements, in segments that are each written once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from sweep.records.storage import Storage
from sweep.records.stored import dump_json


class JournalRow(TypedDict):
    """The measurements at one optimiser step; `time` is in milliseconds since the epoch."""

    step: int
    time: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Journal:
    """Rows of metrics in segments, each a file that is written once."""

    storage: Storage
    root: str

    def write(self, rows: Iterable[JournalRow]) -> None:
        """Adds a segment. A journal has only one writer."""
        segment = f"{self.root}/{len(self.storage.list(self.root)):06d}.jsonl"
        created = self.storage.create(segment, b"".join(dump_json(row) + b"\n" for row in rows))
        assert created, f"{segment} has a second writer"

    def read(self) -> list[JournalRow]:
        """All rows, in the order of writing."""
        segments = [self.storage.read(f"{self.root}/{name}") for name in self.storage.list(self.root)]
        return [json.loads(line) for segment in segments if segment for line in segment.splitlines()]

    def last(self) -> JournalRow | None:
        """The last row; None if the journal is empty."""
        names = self.storage.list(self.root)
        segment = self.storage.read(f"{self.root}/{names[-1]}") if names else None
        return json.loads(segment.splitlines()[-1]) if segment else None
