"""Records: attempts, journals, and the one create that makes a result true."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.records.journal import JournalRow
from sweep.records.records import CellRecord, Records
from sweep.records.storage import Storage
from sweep.records.stored import Result, TeacherResult
from tests.sweep.tracked import begin, finish_record, finish_teacher, make_result, shared


@pytest.fixture(params=["folder", "memory"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    return Records(Storage(str(tmp_path / "runs") if request.param == "folder" else f"memory://{uuid4().hex}"))


@pytest.fixture
def cell(records: Records) -> CellRecord:
    return records.cell("c0ffee")


def row(step: int, loss: float) -> JournalRow:
    return {"step": step, "time": 1_700_000_000_000 + step, "metrics": {"train/loss": loss}}


def test_a_cell_from_start_to_end(cell: CellRecord) -> None:
    cell.declare({"seed": 0})
    attempt = begin(cell)
    assert cell.state() == "missing"
    attempt.journal.write([row(1, 2.5), row(2, 2.25)])
    attempt.journal.write([row(3, 2.125)])
    (attempt.folder / "angles.npz").write_bytes(b"angles")
    (attempt.folder / "student").mkdir()
    (attempt.folder / "student" / "config.json").write_text("{}")
    result = attempt.commit(make_result(attempt, accuracy=0.5))

    assert cell.state() == "done"
    assert cell.result() == result
    assert result == make_result(attempt, accuracy=0.5, time=result.time)
    assert (cell.attempt(1).host, cell.attempt(1).computed_by) == ("here", "first@elsewhere")
    assert cell.attempt(1).time <= result.time
    assert cell.journal() == [row(1, 2.5), row(2, 2.25), row(3, 2.125)]
    angles, student = cell.path("angles.npz"), cell.path("student")
    assert angles is not None
    assert student is not None
    assert angles.read_bytes() == b"angles"
    assert (student / "config.json").read_text() == "{}"
    assert cell.path("per_state.json") is None
    assert cell.failure() is None


def test_a_declaration_stays(cell: CellRecord) -> None:
    cell.declare({"seed": 0})
    cell.declare({"seed": 1})
    assert cell.storage.read(f"{cell.root}/cell.json") == b'{"seed": 0}'


@pytest.mark.parametrize(("by_itself", "state"), [(True, "failed"), (False, "missing")])
def test_failures(cell: CellRecord, by_itself: bool, state: str) -> None:
    attempt = begin(cell)
    attempt.fail("loss not finite", "at step 3", "Traceback …", by_itself=by_itself)
    assert cell.state() == state
    failure = cell.last_failure()
    assert failure is not None
    assert failure.reason == "loss not finite"
    assert failure.message == "at step 3"
    assert cell.failure() == (failure if by_itself else None)


def test_only_the_last_attempt_says_that_a_cell_failed(cell: CellRecord) -> None:
    begin(cell).fail("loss not finite", "", by_itself=True)
    cut_off = begin(cell)
    assert cut_off.number == 2
    assert cell.state() == "missing"
    begin(cell).fail("loss not finite", "", by_itself=True)
    assert cell.state() == "failed"
    finish_record(cell)
    assert cell.state() == "done"
    assert cell.failure() is None


def test_the_second_result_is_not_taken(cell: CellRecord) -> None:
    slow, fast = begin(cell), begin(cell)
    slow.journal.write([row(1, 1.0)])
    fast.journal.write([row(1, 2.0)])
    fast.commit(make_result(fast, metrics={"test/f1": 0.75}))
    stands = slow.commit(make_result(slow, metrics={"test/f1": 0.25}))
    assert stands.attempt == 2
    assert stands.metrics == {"test/f1": 0.75}
    assert cell.journal() == [row(1, 2.0)]


def test_a_half_written_attempt_is_no_result(cell: CellRecord) -> None:
    attempt = begin(cell)
    (attempt.folder / "angles.npz").write_bytes(b"half")
    attempt.journal.write([row(1, 1.0)])
    attempt.fail("disk full", "", by_itself=False)
    assert cell.result() is None
    assert cell.path("angles.npz") is None
    assert cell.journal() == [row(1, 1.0)]


def test_a_journal_segment_is_never_written_again(cell: CellRecord) -> None:
    attempt = begin(cell)
    for step in range(12):
        attempt.journal.write([row(step, float(step))])
    assert [each["step"] for each in cell.journal()] == list(range(12))
    names = cell.storage.list(f"{cell.root}/attempts/1/journal")
    assert (names[0], names[-1]) == ("000000.jsonl", "000011.jsonl")


@given(st.lists(st.lists(st.floats(allow_nan=False)), max_size=5))
def test_a_journal_gives_back_what_was_written(segments: list[list[float]]) -> None:
    attempt = begin(Records(Storage(f"memory://{uuid4().hex}")).cell("a"))
    rows = [[row(step, value) for step, value in enumerate(segment)] for segment in segments]
    for segment in rows:
        attempt.journal.write(segment)
    assert attempt.journal.read() == [each for segment in rows for each in segment]


def test_a_trained_teacher(records: Records) -> None:
    teacher = records.teacher("abc")
    attempt = begin(teacher)
    (attempt.folder / "model").mkdir()
    (attempt.folder / "model" / "config.json").write_text("{}")
    assert teacher.result() is None
    result = TeacherResult(**shared(attempt), hash="abc", path=None, metrics={"test/accuracy": 0.875}, chance=0.5)
    assert attempt.commit(result) == teacher.result() == result
    assert Path(teacher.location(), "config.json").read_text() == "{}"


def test_a_ready_teacher(records: Records) -> None:
    teacher = records.teacher("abc")
    finish_teacher(teacher, {})
    assert teacher.state() == "done"
    assert teacher.location() == "hub/id"
    assert teacher.journal() == []


def compete(url: str, worker: int) -> tuple[list[int], Result]:
    """One of several writers at the same cell: some attempts, then a result of its own mark."""
    cell = Records(Storage(url)).cell("contested")
    attempts = [begin(cell) for _ in range(5)]
    (attempts[-1].folder / "mark").write_text(str(worker))
    metrics = {f"payload/{number}": float(worker) for number in range(5000)}
    stands = attempts[-1].commit(make_result(attempts[-1], metrics=metrics, steps=worker))
    return [attempt.number for attempt in attempts], stands


def test_processes_never_make_two_results_or_half_a_one(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("fork")) as pool:
        outcomes = list(pool.map(compete, [str(tmp_path)] * 4, range(4)))
    numbers = [number for taken, _ in outcomes for number in taken]
    assert sorted(numbers) == list(range(1, 21))
    cell = Records(Storage(str(tmp_path))).cell("contested")
    result = cell.result()
    assert result is not None
    assert all(stands == result for _, stands in outcomes)
    assert set(result.metrics.values()) == {float(result.steps)}
    assert len(result.metrics) == 5000
    assert outcomes[result.steps][0][-1] == result.attempt
    mark = cell.path("mark")
    assert mark is not None
    assert mark.read_text() == str(result.steps)


def test_files_are_plain_json(cell: CellRecord) -> None:
    begin(cell, host="Ștefan")
    data = cell.storage.read(f"{cell.root}/attempts/1/attempt.json")
    assert data is not None
    assert json.loads(data)["host"] == "Ștefan"
