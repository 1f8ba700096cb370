"""The JSON files of a storage: what was written before formats had a version, and what a newer program writes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sweep.grid.cells import Cell
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.records.stored import AttemptFailure, AttemptStart, CellResult, Result, StoredFile, TeacherResult
from sweep.report.__main__ import main
from sweep.report.results import rows
from tests.sweep.tracked import begin, make_cell, make_result
from trainables.errors import InputError
from trainables.size import Size

CODE: dict[str, Any] = {
    "git_commit": "3744daf",
    "git_dirty": False,
    "source_hash": "4d44a40a",
    "versions": {"torch": "2.13.0"},
    "host": "vm",
    "cpu": "AMD EPYC",
    "gpus": [],
}
RESULT: dict[str, Any] = {
    "cell": "c0ffee",
    "metrics": {"angle/encoder/cos_mean": 0.25, "best/accuracy": 0.75, "test/accuracy": 0.625, "seconds/total": 8.5},
    "main_metric": "accuracy",
    "signature": None,
    "steps": 80,
    "best_step": 40,
    "mapping": {"encoder": {"0": 0, "1": 2, "2": 4, "3": 6}},
    "student": "attempts/1/student",
    "computed_by": "demo@vm",
    "environment": CODE,
    "attempt": 1,
    "time": 1795777171251,
}
TEACHER: dict[str, Any] = {
    "hash": "7eac4e4",
    "metrics": {"best/accuracy": 0.9375, "test/accuracy": 0.875, "seconds/total": 50.25},
    "main_metric": "accuracy",
    "signature": None,
    "steps": 450,
    "best_step": 450,
    "path": None,
    "chance": 0.375,
    "computed_by": "demo@vm",
    "environment": CODE,
    "attempt": 1,
    "time": 1795777162478,
}
START: dict[str, Any] = {"host": "vm", "computed_by": "demo@vm", "sweep": "demo", "time": 1795777162679}
FAILURE: dict[str, Any] = {
    "reason": "not finite at step 7: loss nan",
    "message": "not finite",
    "traceback": "Traceback",
    "by_itself": True,
    "time": 1795777162700,
}
SWEEP: dict[str, Any] = {
    "name": "demo",
    "command": "python sweep/run.py",
    "time": 1795777180265,
    "environment": {**CODE, "python": "3.11.7", "platform": "Linux", "num_cpus": 2, "memory_gb": 25.3},
    "cells": [
        {
            "config": {
                "model": {"name": "tiny", "family": "bert", "teacher": "hub/id"},
                "task": "natural-logic",
                "strategy": {"kind": "forward", "match_embeddings": None},
                "dtype": "fp32",
                "a field that is gone": 1,
            },
            "data": "da7a",
            "teacher": "7eac4e4",
            "fingerprint": "c0ffee",
        }
    ],
    "tracking_uri": "sqlite:///runs/mlflow.db",
    "experiment_id": "1",
    "runs": {"c0ffee": "5eed"},
    "plugins": [],
}
WITHOUT_VERSION: dict[str, tuple[type[StoredFile], dict[str, Any]]] = {
    "cells/c0ffee/result.json": (CellResult, RESULT),
    "cells/c0ffee/attempts/1/attempt.json": (AttemptStart, START),
    "cells/fa11ed/attempts/1/attempt.json": (AttemptStart, START),
    "cells/fa11ed/attempts/1/failed.json": (AttemptFailure, FAILURE),
    "teachers/7eac4e4/teacher.json": (TeacherResult, TEACHER),
    "teachers/7eac4e4/attempts/1/attempt.json": (AttemptStart, START),
    "sweeps/demo/sweep.json": (Sweep, SWEEP),
}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A storage whose files were written before formats had a version."""
    storage = Storage(str(tmp_path))
    for path, (_, content) in WITHOUT_VERSION.items():
        assert storage.create(path, json.dumps(content).encode())
    return storage


@pytest.mark.parametrize("path", WITHOUT_VERSION)
def test_a_file_without_a_version_is_version_1_and_is_written_as_it_was(storage: Storage, path: str) -> None:
    schema, content = WITHOUT_VERSION[path]
    read = schema.read(storage, path)
    assert read is not None
    assert read.version == 1
    written = json.loads(read.dump())
    if schema is Sweep:  # its configs are written with their defaults
        written["cells"], content = "cells", {**content, "cells": "cells"}
    assert {**written, **content} == written  # with the defaults of later keys beside


def test_a_storage_without_versions_is_read_whole(storage: Storage) -> None:
    records = Records(storage)
    assert [records.cell(key).state() for key in ("c0ffee", "fa11ed", "other")] == ["done", "failed", "missing"]
    sweep = Sweep.load(storage, "demo")
    cell = sweep.cells[0]
    assert cell == Cell(cell.config, "da7a", "7eac4e4", "c0ffee")
    assert cell.config == make_cell(model={"name": "tiny"}).config
    teacher, row = rows(records, sweep.cells)
    assert (teacher.test, row.best, row.test, row.share_of_teacher) == (0.875, 0.75, 0.625, 0.5)
    assert row.mapping == {"encoder": {0: 0, 1: 2, 2: 4, 3: 6}}
    failed = rows(records, [Cell(cell.config, "da7a", "7eac4e4", "fa11ed")])[1]
    assert (failed.status, failed.reason) == ("failed", "not finite at step 7: loss nan")


@pytest.mark.parametrize("version", [2, 0, "1.0", None])
@pytest.mark.parametrize("path", WITHOUT_VERSION)
def test_another_version_is_refused_in_one_line(storage: Storage, path: str, version: object) -> None:
    schema, content = WITHOUT_VERSION[path]
    storage.write(path, json.dumps({"version": version, **content, "metrics": "of another form"}).encode())
    with pytest.raises(InputError) as error:
        schema.read(storage, path)
    said = f"got format version {version!r}; this program reads version 1: use the program that wrote it"
    assert str(error.value) == f"{storage.full_url(path)}: {said}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it holds no JSON object"),
        (b"[1]", "it holds no JSON object"),
        (b"\xff", "it holds no JSON object"),
        (json.dumps({**TEACHER, "chance": "half"}).encode(), "chance: Input should be a valid number"),
        (
            json.dumps({key: value for key, value in TEACHER.items() if key != "steps"}).encode(),
            "steps: Field required",
        ),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(storage: Storage, data: bytes, reason: str) -> None:
    storage.write("teachers/7eac4e4/teacher.json", data)
    with pytest.raises(InputError) as error:
        Records(storage).teacher("7eac4e4").result()
    where = storage.full_url("teachers/7eac4e4/teacher.json")
    assert str(error.value).startswith(f"{where}: the file is damaged: {reason}")
    assert "\n" not in str(error.value)


def test_the_report_of_a_newer_sweep_is_refused_in_one_line(
    storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "sweeps/demo/sweep.json"
    storage.write(path, json.dumps({**SWEEP, "version": 7, "plugins": "elsewhere"}).encode())
    assert main([storage.url, "demo"]) == 2
    assert capsys.readouterr().err.startswith(f"{storage.full_url(path)}: got format version 7; ")


def test_a_size_comes_back(storage: Storage) -> None:
    """Its keys are whole numbers, which JSON does not have."""
    record = Records(storage).cell("small")
    attempt = begin(record)
    size = Size(4587, 1915, 0.0243, {1: 150.5, 32: 5960.25})
    attempt.commit(make_result(attempt, size=size))
    result = record.result()
    assert result is not None
    assert result.size == size
    known = Records(storage).cell("c0ffee").result()
    assert known is not None
    assert known.size is None


def test_a_metric_that_is_not_finite_comes_back(storage: Storage) -> None:
    record = Records(storage).cell("nan")
    attempt = begin(record)
    attempt.commit(make_result(attempt, metrics={"angle/encoder/cos_mean": math.nan, "eval/loss": math.inf}))
    result: Result | None = record.result()
    assert result is not None
    assert math.isnan(result.metrics["angle/encoder/cos_mean"])
    assert result.metrics["eval/loss"] == math.inf
