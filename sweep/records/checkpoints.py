"""The checkpoints of cells and teachers, from which a later attempt continues, on any node.

    cells/<fingerprint>/attempts/<n>/checkpoints/<step>/...              the state after a step
                                                       /checkpoint.json  the hash of each file, written last

A checkpoint counts once its manifest exists. The last two are kept: if a cohort is interrupted while its members save,
each of them still has the checkpoint of the previous step.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sweep.records.records import CHECKPOINTS, Attempt, Record
from sweep.records.stored import CheckpointManifest
from trainables.errors import InputError

logger = logging.getLogger(__name__)

MANIFEST = "checkpoint.json"
NUM_KEPT = 2


class Point(NamedTuple):
    """A checkpoint of a record."""

    attempt: int
    step: int


class Start(NamedTuple):
    """Where an attempt continues."""

    point: Point
    folder: Path
    """The checkpoint's files on this machine."""


def points(record: Record) -> list[Point]:
    """The complete checkpoints of a record, those of the last attempt last. Reads no file."""
    storage = record.storage
    return [
        Point(attempt, step)
        for attempt in record.attempts()
        for step in sorted(int(name) for name in storage.list(f"{record.root}/attempts/{attempt}/{CHECKPOINTS}"))
        if MANIFEST in storage.list(_place(record, Point(attempt, step)))
    ]


def last_step(record: Record) -> int:
    """The step of the last checkpoint, which may be damaged; 0 if there is none."""
    return max((point.step for point in points(record)), default=0)


def load(record: Record, point: Point) -> Start | None:
    """A checkpoint whose files match their hashes; None if it is damaged or no longer exists."""
    place = _place(record, point)
    try:
        manifest = CheckpointManifest.read(record.storage, f"{place}/{MANIFEST}")
        folder = record.storage.local(place)
        if manifest and folder and all(_hash(folder / name) == value for name, value in manifest.files.items()):
            return Start(point, folder)
    except (InputError, FileNotFoundError) as error:
        logger.warning("a file of the checkpoint %s cannot be read: %s", place, error)
    logger.warning("the checkpoint %s is damaged, so that an earlier one is used", place)
    return None


@dataclass(frozen=True)
class StoredCheckpoints:
    """The checkpoints of one attempt; see `trainables.checkpoints.Checkpoints`."""

    attempt: Attempt
    start: Start | None
    """The checkpoint that the attempt continues from; None: it starts anew."""

    def save(self, step: int, folder: Path) -> None:
        """Stores a checkpoint, and then deletes those before the last two."""
        record = self.attempt.record
        place = _place(record, Point(self.attempt.number, step))
        files = {file.relative_to(folder).as_posix(): _hash(file) for file in folder.rglob("*") if file.is_file()}
        record.storage.put(folder, place)
        record.storage.create(f"{place}/{MANIFEST}", CheckpointManifest(step=step, files=files).dump())
        own = [point for point in points(record) if point.attempt <= self.attempt.number]
        for point in own[:-NUM_KEPT]:
            record.storage.delete(f"{_place(record, point)}/{MANIFEST}")  # first, because it makes the rest count
            record.storage.delete(_place(record, point))

    def latest(self) -> Path | None:
        """The folder of the checkpoint that the attempt continues from."""
        return self.start.folder if self.start else None


def _place(record: Record, point: Point) -> str:
    return f"{record.root}/attempts/{point.attempt}/{CHECKPOINTS}/{point.step}"


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
