"""One attempt on a worker, without Ray: how it ends, and what its log says of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from sweep.jobs import attempts
from sweep.jobs.attempts import Context, Ended
from sweep.records import environment
from sweep.records.environment import CodeVersion
from sweep.records.records import Attempt, Record, Records
from sweep.records.stored import CellResult
from tests.sweep.tracked import make_result, spec
from trainables.errors import NotFinite

CODE = CodeVersion(git_commit="abc", git_dirty=False, source_hash="def", versions={})


def attempt_of(record: Record, *raised: BaseException) -> Ended:
    """Makes one attempt, which raises the error where there is one."""

    def compute(attempt: Attempt, report: Any) -> CellResult:
        logging.getLogger("trainables.distill").info("computing in attempt %d", attempt.number)
        for error in raised:
            raise error
        return make_result(attempt)

    context = Context("own", record.storage.url, None, CODE, 1)
    return attempts.make(record, spec("parent"), context, compute, lambda _: None)


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
    assert logs[1].endswith("\nOSError: disk full\n")
    assert ": the attempt fails by itself: not finite at step 2: loss nan\nTraceback " in logs[2]
    assert ": the result is stored in cells/c0ffee\n" in logs[3]
    for number in (2, 3):
        assert logs[number].endswith(": the attempt ends\n")
