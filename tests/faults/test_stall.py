"""A trial that hangs ends its own process, with the stacks of its threads in its log, and the next attempt succeeds."""

from __future__ import annotations

import ctypes
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sweep.jobs import attempts, watchdog
from sweep.jobs.attempts import Context, Try
from sweep.jobs.claims import claimed
from sweep.jobs.progress import Progress
from sweep.records.environment import CodeVersion
from sweep.records.records import Records
from sweep.records.storage import Storage
from tests.sweep.tracked import make_cell, make_result, spec
from trainables import pulse

CODE = CodeVersion(git_commit="abc", git_dirty=False, source_hash="def", versions={})
STALL_SECONDS = 6


def hang() -> None:
    time.sleep(600)


def hang_with_pythons_lock() -> None:
    ctypes.PyDLL(None).sleep(600)


def hang_late() -> None:
    """After more time than a trial may take for a step, in which it makes steps."""
    end = time.monotonic() + 2 * STALL_SECONDS
    while time.monotonic() < end:
        pulse.beat()
        time.sleep(0.1)
    hang()


def attempt(folder: str, hanging: Any) -> None:
    """One attempt at a cell, as a trial makes it."""
    watchdog.GRACE_SECONDS = 1.0
    record = Records(Storage(folder)).cell("c0ffee")
    context = Context("own", folder, None, CODE, 1, "a driver", STALL_SECONDS / 60)
    progress = Progress(lambda facts: None)

    def compute(tries: Sequence[Try]) -> list[Any]:
        tries[0].report(7, {"train/loss": 0.5})
        if hanging:
            hanging()
        return [make_result(tries[0].attempt)]

    with claimed([record], context, progress) as claim:
        target = attempts.Target(record, spec("parent", make_cell()), None, claim.leases["c0ffee"])
        ends = attempts.make([target], context, compute, progress)
    assert ends["c0ffee"].done
    sys.exit(0)


def status_of(folder: Path, hanging: Any) -> int | None:
    process = multiprocessing.get_context("spawn").Process(target=attempt, args=(str(folder), hanging))
    process.start()
    process.join(600)
    process.kill()
    return process.exitcode


@pytest.mark.parametrize("hanging", [hang, hang_with_pythons_lock, hang_late])
def test_a_trial_that_hangs_is_ended_and_tried_again(hanging: Any, tmp_path: Path) -> None:
    record = Records(Storage(str(tmp_path))).cell("c0ffee")
    assert status_of(tmp_path, hanging) == 1
    log = (tmp_path / record.root / "attempts/1/log.txt").read_text()
    assert hanging.__name__ in log
    assert "test_stall.py" in log
    failure = record.last_failure()
    if hanging is hang_with_pythons_lock:
        assert "Timeout (0:00:07)!" in log
    else:
        assert "no step for 0.1 minutes: the trial is ended, and tried again." in log
        assert failure is not None
        assert failure.reason == "no step for 0.1 minutes"
        assert not failure.by_itself
    assert record.state() == "missing"
    if hanging is hang:
        assert status_of(tmp_path, None) == 0
        assert record.state() == "done"
