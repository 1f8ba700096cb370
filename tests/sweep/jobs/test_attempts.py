"""One attempt on a worker, without Ray: how it ends, and what its log says of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sweep.jobs import attempts
from sweep.jobs.attempts import Context, Ended, RetrySmaller, Target, Try
from sweep.jobs.faults import Fault
from sweep.jobs.progress import Progress
from sweep.records import checkpoints, environment
from sweep.records.checkpoints import Point, Start
from sweep.records.environment import CodeVersion
from sweep.records.heartbeats import Holder, Judge
from sweep.records.leases import Lease, acquire
from sweep.records.records import Record, Records
from sweep.records.stored import CellResult
from tests.sweep.tracked import begin, make_cell, make_result, spec
from trainables.errors import NotFinite

CODE = CodeVersion(git_commit="abc", git_dirty=False, source_hash="def", versions={})


Raised = NotFinite | ValueError | None


def attempts_of(outcomes: dict[str, Raised], records: Records, **starts: Start) -> dict[str, Ended]:
    """Attempts at these cells at once; an error is returned as a cell's own."""

    def compute(tries: Sequence[Try]) -> list[Any]:
        for each in tries:
            logging.getLogger("trainables.distill").info("computing in attempt %d", each.attempt.number)
            for step in (1, 2, 3):
                each.report(step, {"train/loss": 1 / step, f"own/{each.attempt.number}": 1.0})
        return [outcomes[each.attempt.record.identity] or make_result(each.attempt) for each in tries]

    return attempts.make(targets(records, *outcomes, **starts), context(records), compute, Progress(lambda facts: None))


def targets(records: Records, *names: str, **starts: Start) -> list[Target]:
    return [target(records.cell(name), starts.get(name)) for name in names]


def context(records: Records) -> Context:
    return Context("own", records.storage.url, None, CODE, 1, "a driver")


def target(record: Record, start: Start | None = None) -> Target:
    """A record that nobody else computes."""
    lease = acquire(record, Holder(record.storage, "trial", "own", "a driver"), Judge(record.storage))
    assert isinstance(lease, Lease)
    return Target(record, spec("parent", make_cell(record.identity)), start, lease)


def attempt_of(record: Record, *raised: BaseException) -> Ended:
    """Makes one attempt, which raises the error where there is one."""

    def compute(tries: Sequence[Try]) -> list[CellResult]:
        (each,) = tries
        logging.getLogger("trainables.distill").info("computing in attempt %d", each.attempt.number)
        for error in raised:
            raise error
        return [make_result(each.attempt)]

    own = context(Records(record.storage))
    (end,) = attempts.make([target(record)], own, compute, Progress(lambda facts: None)).values()
    return end


def log_of(record: Record, number: int) -> str:
    content = record.storage.read(f"{record.root}/attempts/{number}/log.txt")
    assert content is not None
    return content.decode()


def test_attempts_of_one_process_have_their_own_logs(records: Records) -> None:
    record = records.cell("c0ffee")
    with pytest.raises(OSError, match="disk full"):
        attempt_of(record, OSError("disk full"))
    assert attempt_of(record, NotFinite("not finite at step 2: loss nan")) == Ended(
        False, "not finite at step 2: loss nan", True
    )
    assert attempt_of(record) == Ended(True, None, True)
    logs = {number: log_of(record, number) for number in (1, 2, 3)}
    for number, text in logs.items():
        assert f": attempt {number} of a label (cells/c0ffee) begins\n" in text
        assert f" it runs on {environment.host()} as process " in text
        assert f", torch {environment.versions()['torch']}, " in text
        assert [line.rpartition(" ")[2] for line in text.splitlines() if "computing" in line] == [str(number)]
    assert "for a reason outside of it" in logs[1]
    assert "\nOSError: disk full\n" in logs[1]
    assert ": the attempt fails by itself: not finite at step 2: loss nan\nTraceback " in logs[2]
    assert ": the result is stored in cells/c0ffee\n" in logs[3]
    for text in logs.values():
        assert text.endswith(": the attempt ends\n")


DONE = Ended(done=True, reason=None, delivered=True)


def test_a_cell_of_a_cohort_fails_alone(records: Records) -> None:
    error = NotFinite("not finite at step 2: loss nan")
    ends = attempts_of({"a": None, "b": error, "c": ValueError("a plug-in's metric")}, records)
    assert ends["a"] == DONE
    assert (ends["b"].reason, ends["c"].reason) == (str(error), "ValueError: a plug-in's metric")
    assert [records.cell(name).state() for name in "abc"] == ["done", "failed", "failed"]
    assert [len(records.cell(name).journal()) for name in "abc"] == [3, 3, 3]


LOST = RuntimeError("CUDA error: unspecified launch failure")


@pytest.mark.parametrize(
    ("error", "expected", "fault"),
    [
        (RuntimeError("a bug"), RetrySmaller, Fault.CODE),
        (RuntimeError("CUDA out of memory"), RetrySmaller, Fault.GPU_MEMORY),
        (MemoryError(), RetrySmaller, Fault.HOST_MEMORY),
        (OSError("network"), OSError, Fault.STORAGE),
        (OSError(28, "No space left on device"), OSError, Fault.DISK),
        (LOST, RuntimeError, Fault.DEVICE),
    ],
)
def test_an_error_of_a_whole_cohort_is_charged_to_no_cell(
    records: Records, error: Exception, expected: type[Exception], fault: Fault
) -> None:
    def compute(tries: Sequence[Try]) -> list[CellResult]:
        raise error

    with pytest.raises(expected):
        attempts.make(targets(records, "a", "b"), context(records), compute, Progress(lambda facts: None))
    for name in "ab":
        assert records.cell(name).state() == "missing"
        failure = records.cell(name).last_failure()
        assert failure is not None
        assert not failure.by_itself
        assert failure.fault == fault
        assert str(error) in failure.traceback


def test_a_lost_device_is_no_fault_of_a_cell_alone(records: Records) -> None:
    record = records.cell("c0ffee")
    with pytest.raises(RuntimeError, match="unspecified launch failure"):
        attempt_of(record, LOST)
    failure = record.last_failure()
    assert failure is not None
    assert failure.reason == "device or node lost: RuntimeError: CUDA error: unspecified launch failure"
    assert (failure.fault, record.state()) == (Fault.DEVICE, "missing")
    bug = attempt_of(record, KeyError("labels"))
    assert (bug.reason, record.state()) == ("KeyError: 'labels'", "failed")


def test_an_attempt_that_continues_another_adds_only_what_is_new(records: Records, tmp_path: Path) -> None:
    record = records.cell("a")
    first = begin(record)
    first.journal.write(
        [
            {"step": 1, "time": 1, "metrics": {"train/loss": 1.0}},
            {"step": 2, "time": 2, "metrics": {"train/loss": 0.5, "own/2": 1.0}},
        ]
    )
    start = Start(Point(1, 1), tmp_path)
    assert attempts_of({"a": None}, records, a=start) == {"a": DONE}
    assert record.chain(2) == [1, 2]
    metrics = [(row["step"], row["metrics"]) for row in record.journal()]
    assert metrics == [
        (1, {"train/loss": 1.0}),
        (2, {"train/loss": 0.5, "own/2": 1.0}),
        (1, {"own/2": 1.0}),
        (3, {"train/loss": 1 / 3, "own/2": 1.0}),
    ]


def test_the_progress_of_all_cells_is_one_report_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    reports: list[Any] = []
    progress = Progress(reports.append)
    for step in range(1, 6):
        for name, loss in (("a", 1 / step), ("b", None)):
            progress(name, step, loss)
        now += 0.5
    assert reports == [
        {"progress": {"a": (3, 1 / 3), "b": (2, None)}},
        {"progress": {"a": (5, 1 / 5), "b": (4, None)}},
    ]


def test_a_checkpoint_is_stored_after_the_rows_up_to_its_step(records: Records, tmp_path: Path) -> None:
    """A process that is killed behind it loses none of them, and they are not computed again."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "state.json").write_text("{}")

    def compute(tries: Sequence[Try]) -> list[CellResult]:
        (each,) = tries
        each.report(1, {"train/loss": 1.0})
        assert records.cell("a").journal() == []
        each.checkpoints.save(1, files)
        assert [row["step"] for row in records.cell("a").journal()] == [1]
        assert checkpoints.points(records.cell("a")) == [Point(1, 1)]
        return [make_result(each.attempt)]

    attempts.make(targets(records, "a"), context(records), compute, Progress(lambda facts: None))
