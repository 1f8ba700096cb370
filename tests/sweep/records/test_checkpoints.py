"""Checkpoints in a storage: complete or absent, intact or unused, and gone once the record is finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.records import checkpoints
from sweep.records.checkpoints import Point, Start, StoredCheckpoints
from sweep.records.journal import JournalRow
from sweep.records.records import Attempt, CellRecord, Records
from sweep.records.storage import Storage
from tests.sweep.tracked import begin, make_result


@pytest.fixture(params=["disk", "memory"])
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> CellRecord:
    url = str(tmp_path / "runs") if request.param == "disk" else f"memory://{tmp_path.name}"
    return Records(Storage(url)).cell("c0ffee")


def save(attempt: Attempt, folder: Path, *steps: int) -> None:
    for step in steps:
        files = folder / f"{attempt.number}-{step}"
        (files / "best").mkdir(parents=True)
        (files / "state.json").write_text(f"state of {step}")
        (files / "best" / "model").write_text(f"model of {step}")
        StoredCheckpoints(attempt, None).save(step, files)
        assert not files.exists()


def resume(cell: CellRecord, start: Start) -> Attempt:
    return begin(cell, continues=start.point.attempt)


def place(point: Point) -> str:
    return f"cells/c0ffee/attempts/{point.attempt}/checkpoints/{point.step}"


def test_a_checkpoint_is_read_as_it_was_saved(cell: CellRecord, tmp_path: Path) -> None:
    save(begin(cell), tmp_path, 5)
    assert checkpoints.points(cell) == [Point(1, 5)]
    assert checkpoints.last_step(cell) == 5
    start = checkpoints.load(cell, Point(1, 5))
    assert start is not None
    assert (start.folder / "state.json").read_text() == "state of 5"
    assert (start.folder / "best" / "model").read_text() == "model of 5"
    assert StoredCheckpoints(begin(cell), start).latest() == start.folder
    assert StoredCheckpoints(begin(cell), None).latest() is None


def test_the_last_two_are_kept_over_all_attempts(cell: CellRecord, tmp_path: Path) -> None:
    save(begin(cell), tmp_path, 5, 10, 15)
    assert checkpoints.points(cell) == [Point(1, 10), Point(1, 15)]
    start = checkpoints.load(cell, Point(1, 15))
    assert start is not None
    second = resume(cell, start)
    save(second, tmp_path, 20)
    assert checkpoints.points(cell) == [Point(1, 15), Point(2, 20)]
    save(second, tmp_path, 100)
    assert checkpoints.points(cell) == [Point(2, 20), Point(2, 100)]


def test_a_checkpoint_without_its_manifest_does_not_count(cell: CellRecord, tmp_path: Path) -> None:
    save(begin(cell), tmp_path, 5, 10)
    cell.storage.delete(f"{place(Point(1, 10))}/checkpoint.json")
    assert checkpoints.points(cell) == [Point(1, 5)]


@pytest.mark.parametrize("name", ["state.json", "best/model", "checkpoint.json"])
@pytest.mark.parametrize("is_gone", [False, True])
def test_a_damaged_checkpoint_is_not_used(cell: CellRecord, tmp_path: Path, name: str, is_gone: bool) -> None:
    save(begin(cell), tmp_path, 5, 10)
    file = f"{place(Point(1, 10))}/{name}"
    content = cell.storage.read(file)
    assert content is not None
    if is_gone:
        cell.storage.delete(file)
    else:
        cell.storage.write(file, bytes([content[0] ^ 1]) + content[1:])
    assert checkpoints.load(cell, Point(1, 10)) is None
    assert checkpoints.load(cell, Point(1, 5)) is not None


def test_a_finished_record_has_no_checkpoints(cell: CellRecord, tmp_path: Path) -> None:
    save(begin(cell), tmp_path, 5)
    start = checkpoints.load(cell, Point(1, 5))
    assert start is not None
    second = resume(cell, start)
    save(second, tmp_path, 10)
    second.commit(make_result(second))
    assert checkpoints.points(cell) == []
    assert cell.storage.list("cells/c0ffee/attempts/1/checkpoints") == []


def row(step: int) -> JournalRow:
    return {"step": step, "time": step, "metrics": {"train/loss": 1 / step}}


def test_the_journal_of_an_attempt_begins_with_those_that_it_continues(cell: CellRecord, tmp_path: Path) -> None:
    lost = begin(cell)
    lost.journal.write([row(1), row(2)])
    first = begin(cell)
    first.journal.write([row(1), row(2), row(3)])
    save(first, tmp_path, 2)
    start = checkpoints.load(cell, Point(2, 2))
    assert start is not None
    second = resume(cell, start)
    assert cell.last_row() == row(3)
    second.journal.write([row(4)])
    third = begin(cell, continues=second.number)
    third.journal.write([row(5)])
    assert cell.chain(third.number) == [2, 3, 4]
    assert [cell.last_in_chain(number) for number in (1, 2, 3, 4)] == [1, 4, 4, 4]
    assert cell.journal() == [row(step) for step in (1, 2, 3, 4, 5)]
    assert cell.last_row() == row(5)
    third.commit(make_result(third))
    assert cell.journal() == [row(step) for step in (1, 2, 3, 4, 5)]
