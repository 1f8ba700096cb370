"""Records and runs for the tests of tracking and results: small, and known to the last digit."""

from __future__ import annotations

import re
from typing import Any

from sweep.grid.cells import Cell
from sweep.records.environment import Environment
from sweep.records.journal import JournalRow
from sweep.records.records import Attempt, Record, TeacherRecord, now
from sweep.records.stored import AttemptStart, CellResult, Result, TeacherResult
from sweep.tracking.runs import RunSpec
from trainables.config import TrialConfig

STARTED = 1_700_000_000_000
ENVIRONMENT = Environment(
    git_commit="record", git_dirty=True, source_hash="source", versions={}, host="elsewhere", cpu="a slow one", gpus=[]
)
SHARED_TAGS = {"git_commit": "abc", "git_dirty": "false", "source_hash": "def"}


def make_cell(fingerprint: str = "c0ffee", teacher: str = "7eac4e4", **fields: Any) -> Cell:
    model = {"name": "bert", "family": "bert", "teacher": "hub/id", **fields.pop("model", {})}
    config = TrialConfig.model_validate({"model": model, "task": "natural-logic", "dtype": "fp32", **fields})
    return Cell(config, "da7a", teacher, fingerprint)


def spec(parent: str, cell: Cell | None = None) -> RunSpec:
    return RunSpec.of_cell(cell or make_cell(), "a label", parent, SHARED_TAGS)


def make_rows(first: int, last: int, offset: float = 0.0) -> list[JournalRow]:
    """A row a step: a loss of 1/step and a rate."""
    return [
        {"step": step, "time": STARTED + step, "metrics": {"train/loss": offset + 1 / step, "train/lr": step / 1024}}
        for step in range(first, last + 1)
    ]


def begin(record: Record, host: str = "here", computed_by: str = "first@elsewhere", **fields: Any) -> Attempt:
    return record.begin(AttemptStart(host=host, computed_by=computed_by, sweep="first", time=now(), **fields))


def shared(attempt: Attempt, main_metric: str = "accuracy") -> dict[str, Any]:
    """What the results of cells and of teachers both say."""
    return {
        "attempt": attempt.number,
        "time": now(),
        "computed_by": "first@elsewhere",
        "environment": ENVIRONMENT,
        "main_metric": main_metric,
        "signature": None,
        "steps": 20,
        "best_step": 20,
    }


def make_result(attempt: Attempt, accuracy: float = 0.75, **fields: Any) -> CellResult:
    own: dict[str, Any] = {
        "cell": attempt.record.identity,
        "metrics": {"best/accuracy": 0.5, "test/accuracy": accuracy, "train/loss": 99.0, "seconds/total": 12.5},
        "mapping": {"encoder": {0: 0, 1: 4}},
        "student": attempt.stored("student"),
    }
    return CellResult(**{**shared(attempt), **own, **fields})


def finish_teacher(record: TeacherRecord, metrics: dict[str, float], **fields: Any) -> TeacherResult:
    """A ready teacher that has been measured."""
    attempt = begin(record)
    own: dict[str, Any] = {
        "hash": record.identity,
        "metrics": metrics,
        "path": "hub/id",
        "chance": 0.0,
        "steps": 0,
        "best_step": 0,
    }
    result = TeacherResult(**{**shared(attempt), **own, **fields})
    assert attempt.commit(result) == result
    return result


def finish_record(record: Record, num_rows: int = 3, accuracy: float = 0.75) -> Result:
    """An attempt of a record from start to end, without MLflow."""
    attempt = begin(record, host="elsewhere")
    attempt.journal.write(make_rows(1, num_rows))
    (attempt.folder / "angles.npz").write_bytes(b"angles")
    (attempt.folder / "per_state.json").write_text("{}")
    return attempt.commit(make_result(attempt, accuracy))


def pid_of(record: Record) -> int:
    """The process that made the last attempt, by its log."""
    log = record.storage.read(f"{record.root}/attempts/{record.attempts()[-1]}/log.txt")
    found = re.search(rb" as process (\d+) for the sweep ", log or b"")
    assert found
    return int(found[1])
