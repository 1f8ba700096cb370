"""The typed JSON files of a storage. Each names the version of its format; a file that names none is version 1."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ValidationError

from sweep.records.environment import Environment
from sweep.records.storage import Storage
from sweep.spec.passwords import without_passwords
from trainables.errors import InputError, Problem
from trainables.forms import Exported, Form
from trainables.size import Size
from trainables.strategies import Match


class StoredFile(BaseModel, frozen=True):
    """One JSON file. Reading it ignores keys that this program does not know."""

    versions: ClassVar[tuple[int, ...]] = (1,)
    """The versions that this program can read; it writes the last one."""

    version: int = 1

    @classmethod
    def read(cls, storage: Storage, path: str) -> Self | None:
        """The file at the path; None if it does not exist.

        Raises InputError if this program cannot read its version, or if its content is damaged.
        """
        data = storage.read(path)
        if data is None:
            return None
        place = without_passwords(storage.full_url(path))
        try:
            content: Any = json.loads(data)
            version = content.get("version", 1)
        except (ValueError, AttributeError):
            raise InputError([Problem(place, "the file is damaged: it holds no JSON object")]) from None
        if version not in cls.versions:
            readable = " and ".join(map(str, cls.versions))
            message = (
                f"got format version {version!r}; this program reads version {readable}: use the program that wrote it"
            )
            raise InputError([Problem(place, message)])
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise InputError([Problem(place, f"the file is damaged: {key}: {first['msg']}")]) from None

    def dump(self) -> bytes:
        """The file's bytes."""
        return dump_json(self.model_dump(mode="json"))


class AttemptStart(StoredFile, frozen=True):
    """`attempt.json`: which sweep makes the attempt, on which host, and when it began."""

    host: str
    computed_by: str
    """The sweep and its host, as `demo@node1`."""
    sweep: str
    time: int
    """Milliseconds since the epoch."""
    continues: int | None = None
    """The earlier attempt that this one continues from a checkpoint; None: it starts anew."""
    cohort: int = 1
    """The number of cells that it trains in lockstep, itself included."""
    num_parts: int = 1
    """The parts in which it computes each micro-batch."""
    step: int = 0
    """The step of the checkpoint that it continues from."""
    driver: str | None = None
    """The token of the driver of its trial."""


class CheckpointManifest(StoredFile, frozen=True):
    """`checkpoint.json`: the files of a complete checkpoint."""

    step: int
    files: dict[str, str]
    """Path within the checkpoint's folder -> SHA-256."""


class AttemptFailure(StoredFile, frozen=True):
    """`failed.json`: why an attempt ended without a result."""

    reason: str
    message: str
    traceback: str
    by_itself: bool
    """Whether the cell or teacher would fail again, so that it is not retried."""
    fault: str | None = None
    """The class of the error: a value of `sweep.jobs.faults.Fault`; None where it is not known."""
    batches: int | None = None
    """The batches that the attempt had begun; None where that is not known."""
    time: int
    """Milliseconds since the epoch."""


class Result(StoredFile, frozen=True):
    """What the manifests of cells and of teachers have in common."""

    attempt: int
    """The number of the attempt that produced it."""
    time: int
    """When it was produced, in milliseconds since the epoch."""
    computed_by: str
    environment: Environment
    metrics: dict[str, float]
    """All final metrics."""
    main_metric: str
    """`accuracy`, `bleu`, …"""
    signature: str | None
    """How the main metric was computed, such as sacrebleu's signature, so that it can be compared."""
    steps: int
    """Optimiser steps; 0 for a ready teacher."""
    best_step: int
    size: Size | None = None
    """That of the best model; None where it was not measured."""
    num_parts: int = 1
    """The parts in which each micro-batch was computed when it ended, because memory was too small for a whole one."""
    own_metrics: dict[str, str] = {}
    """Name of a plug-in's metric -> hash of the plug-in, as it was when `metrics` were measured."""


class CellResult(Result, frozen=True):
    """`result.json`: the one result of a cell."""

    cell: str
    """Its fingerprint."""
    mapping: dict[str, dict[int, Match]]
    """Stack -> student state -> teacher state."""
    student: str
    """The student's folder, relative to the record."""
    cohort: int = 1
    """The number of cells that were trained in lockstep when it ended, itself included."""


class TeacherResult(Result, frozen=True):
    """`teacher.json`: the one result of a teacher."""

    hash: str
    path: str | None
    """The folder or hub id of a ready teacher; None if its model lies in the attempt's folder."""
    chance: float
    """The main metric that guessing gives."""


class OwnMetric(StoredFile, frozen=True):
    """`metrics/<name>-<hash>.json`: a plug-in's metric, measured on a finished model or on its answers."""

    values: dict[str, float]
    """`test/<name>` of every test split."""
    time: int
    """Milliseconds since the epoch."""


class Exports(StoredFile, frozen=True):
    """`exports.json`: the forms of a student, beside their files."""

    forms: dict[Form, Exported]


def dump_json(value: object) -> bytes:
    """A value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False).encode()
