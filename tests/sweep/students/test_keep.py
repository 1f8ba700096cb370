"""Which students stay: those that some sweep of the storage names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from sweep.grid.cells import Cell
from sweep.plan.states import Plan
from sweep.records.archive import CellKey, Keep, Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.records.stored import CellResult
from sweep.spec.sweep import SweepConfig
from sweep.students import keep, lost, published
from sweep.students.needed import Needed
from tests.sweep.finished import ENVIRONMENT
from tests.sweep.tracked import begin, make_cell, make_result

SCORES = {"a": 0.5, "b": 0.9, "c": 0.7, "d": 0.9}


def finish(records: Records, scores: Mapping[str, float]) -> dict[str, Cell]:
    """Finished cells of one teacher with their students, by fingerprint."""
    for key, score in scores.items():
        attempt = begin(records.cell(key))
        (attempt.folder / "student").mkdir()
        (attempt.folder / "student" / "model.safetensors").write_bytes(b"weights")
        attempt.commit(make_result(attempt, metrics={"best/accuracy": score, "test/accuracy": score}))
    return {key: make_cell(key) for key in scores}


def archive(storage: Storage, name: str, cells: list[Cell], keep: Keep = "best") -> None:
    """A sweep as the storage knows it."""
    Sweep(
        name=name,
        command="",
        time=1_700_000_000_000,
        environment=ENVIRONMENT,
        cells=tuple(cells),
        tracking_uri="",
        experiment_id="",
        keep=keep,
        runs={},
    ).store(storage)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(Storage(str(tmp_path)))


def left(records: Records) -> set[str]:
    return {key for key in SCORES if records.cell(key).path("student")}


@pytest.mark.parametrize(("asked", "stay"), [("best", {"b"}), ("all", {"a", "b", "c", "d"}), ("none", set[str]())])
def test_what_a_sweep_alone_keeps(records: Records, asked: Keep, stay: set[str]) -> None:
    cells = finish(records, SCORES)
    keep.students(asked, cells.values(), records, "own")
    assert left(records) == stay


def test_each_teacher_has_a_best_student(records: Records) -> None:
    finish(records, SCORES)
    cells = [make_cell("a"), make_cell("b"), make_cell("c", teacher="other")]
    keep.students("best", cells, records, "own")
    assert left(records) == {"b", "c", "d"}  # d is no cell of the sweep


@pytest.mark.parametrize(("others_keep", "stay"), [("best", {"a", "b"}), ("all", {"a", "b", "c"}), ("none", {"b"})])
def test_what_another_sweep_shows_stays(records: Records, others_keep: Keep, stay: set[str]) -> None:
    """A wider sweep, whose best student is another one, deletes none of those that a narrower sweep keeps."""
    cells = finish(records, SCORES)
    narrow = [cells["a"]] if others_keep == "best" else [cells["a"], cells["c"]]
    archive(records.storage, "narrow", narrow, others_keep)
    archive(records.storage, "wide", list(cells.values()))
    keep.students("best", cells.values(), records, "wide")
    assert left(records) == stay


def test_a_sweeps_own_archive_protects_nothing(records: Records) -> None:
    cells = finish(records, SCORES)
    archive(records.storage, "own", list(cells.values()), "all")
    keep.students("best", cells.values(), records, "own")
    assert left(records) == {"b"}


def test_a_lost_student_is_noticed_once_nothing_may_be_better(records: Records) -> None:
    cells = [CellKey.of(cell) for cell in finish(records, SCORES).values()]
    assert Needed(records).lost("best", cells) == []
    records.storage.delete("cells/b/attempts/1/student")
    assert Needed(records).lost("best", cells) == ["b"]
    assert Needed(records).lost("none", cells) == []
    assert Needed(records).lost("best", [*cells, CellKey.of(make_cell("open"))]) == []


def test_weights_are_read_by_those_who_read_the_storage(records: Records) -> None:
    attempt = begin(records.cell("a"))
    (attempt.folder / "student").mkdir(mode=0o750)
    weights = attempt.folder / "student" / "model.safetensors"
    weights.touch(mode=0o600)  # as safetensors writes it
    attempt.commit(make_result(attempt))
    assert weights.stat().st_mode & 0o777 == 0o640


def test_a_lost_student_is_said_and_its_cell_made_missing(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = make_cell("a")
    finish(records, {"a": 0.5})
    records.storage.delete("cells/a/attempts/1/student")
    config = SweepConfig(name="own", storage=records.storage.url, tracking_uri="http://here")
    plan = Plan({"a": cell}, {}, {"a": "bert · forward"}, {"a": "done"}, {}, {})
    gone = lost.fingerprints(config, plan, records)
    monkeypatch.setattr(published, "address", lambda tracking, fingerprint: "models:/m-1")
    console = Console(width=500)
    with console.capture() as capture:
        lost.show(gone, config, plan, console, ask=False)
        lost.show(gone, config, plan, console, ask=True)
    said, again = "The student of bert · forward is no longer in the storage.", "--remake-students trains it again."
    assert capture.get().splitlines() == [
        f"{said} {again}",
        f"{said} MLflow has it as models:/m-1 at http://here. {again}",
    ]
    result = records.cell("a").result()
    lost.forget(gone, records)
    assert records.cell("a").state() == "missing"
    assert CellResult.read(records.storage, "cells/a/attempts/1/result.json") == result
    assert begin(records.cell("a")).number == 2
