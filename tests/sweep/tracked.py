"""Records and runs for the tests of tracking and results: small, and known to the last digit."""

from __future__ import annotations

from typing import Any

from sweep.grid.cells import Cell
from sweep.records.records import Attempt, Facts, JournalRow, Record
from sweep.tracking.runs import RunSpec
from trainables.config import TrialConfig

STARTED = 1_700_000_000_000
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


def make_result(attempt: Attempt, accuracy: float = 0.75) -> Facts:
    return {
        "metrics": {"best/accuracy": 0.5, "test/accuracy": accuracy, "train/loss": 99.0, "seconds/total": 12.5},
        "main_metric": "accuracy",
        "steps": 20,
        "mapping": {"encoder": {"0": 0, "1": 4}},
        "computed_by": "first@elsewhere",
        "student": attempt.stored("student"),
        "signature": None,
        "environment": {"git_commit": "record", "git_dirty": True, "source_hash": "source"},
    }


def finish_record(record: Record, num_rows: int = 3, accuracy: float = 0.75) -> Facts:
    """An attempt of a record from start to end, without MLflow."""
    attempt = record.begin({"host": "elsewhere", "computed_by": "first@elsewhere"})
    attempt.journal.write(make_rows(1, num_rows))
    (attempt.folder / "angles.npz").write_bytes(b"angles")
    (attempt.folder / "per_state.json").write_text("{}")
    return attempt.commit(make_result(attempt, accuracy))
