"""Records that run out of memory: in smaller cohorts, then alone in parts of their micro-batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from sweep.jobs import attempts, ladder
from sweep.jobs.attempts import Context, Ended, Target, Try
from sweep.jobs.faults import Fault
from sweep.jobs.ladder import Rung
from sweep.jobs.progress import Progress
from sweep.records.environment import CodeVersion
from sweep.records.heartbeats import Holder, Judge
from sweep.records.leases import Lease, acquire
from sweep.records.records import Record, Records
from tests.sweep.tracked import make_cell, make_result, spec

CODE = CodeVersion(git_commit="abc", git_dirty=False, source_hash="def", versions={})
GPU_FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
BATCH_SIZE = 8


class Memory:
    """Attempts at records on a machine that holds so many examples of so many records at once."""

    def __init__(self, records: Records, room: float, error: BaseException = GPU_FULL) -> None:
        self.records, self.room, self.error = records, room, error
        self.tried: list[tuple[str, int]] = []
        """The records of each attempt, and their parts."""
        self.died_at: int | None = None
        """The attempt at which the process dies instead."""

    def make(self, names: str) -> dict[str, Ended]:
        """All that a trial does with these records."""
        every = [self.records.cell(name) for name in names]
        holder, judge = Holder(self.records.storage, "trial", "own", "a driver"), Judge(self.records.storage)
        leases = [acquire(record, holder, judge) for record in every]
        held = {record.identity: lease for record, lease in zip(every, leases, strict=True) if isinstance(lease, Lease)}
        assert len(held) == len(names)
        try:
            return ladder.make(every, BATCH_SIZE, lambda rung: self._attempt(rung, held))
        finally:
            for lease in held.values():
                lease.release()

    def _attempt(self, rung: Rung, leases: dict[str, Lease]) -> dict[str, Ended]:
        context = Context("own", self.records.storage.url, None, CODE, 1, "a driver")
        targets = [
            Target(record, spec("parent", make_cell(record.identity)), start, leases[record.identity])
            for record, start in rung.group
        ]

        def compute(tries: Sequence[Try]) -> list[Any]:
            self.tried.append(("".join(each.attempt.record.identity for each in tries), rung.num_parts))
            if len(self.tried) == self.died_at:
                raise KeyboardInterrupt
            if len(tries) * BATCH_SIZE / rung.num_parts > self.room:
                raise self.error
            return [make_result(each.attempt, cohort=len(tries), num_parts=rung.num_parts) for each in tries]

        progress = Progress(lambda facts: None)
        return attempts.make(targets, context, compute, progress, rung.num_parts, may_split=rung.may_split)


def faults(record: Record) -> list[tuple[int, int, str | None, bool]]:
    """Of each attempt that failed: its cohort, its parts, the class of its error, and whether it failed by itself."""
    failures = [(record.attempt(number), record.failure_of(number)) for number in record.attempts()]
    return [(start.cohort, start.num_parts, failure.fault, failure.by_itself) for start, failure in failures if failure]


def test_a_cohort_is_halved_until_it_fits(records: Records) -> None:
    memory = Memory(records, room=2 * BATCH_SIZE)
    ends = memory.make("abcde")
    assert all(end.done for end in ends.values())
    assert memory.tried == [("abcde", 1), ("abc", 1), ("ab", 1), ("c", 1), ("de", 1)]
    assert faults(records.cell("a")) == [(5, 1, Fault.GPU_MEMORY, False), (3, 1, Fault.GPU_MEMORY, False)]
    result = records.cell("a").result()
    assert result is not None
    assert (result.cohort, result.num_parts) == (2, 1)


def test_a_cell_that_fits_alone_never_fails_for_memory(records: Records) -> None:
    assert all(end.done for end in Memory(records, room=BATCH_SIZE).make("abc").values())
    assert not any(by_itself for name in "abc" for *_, by_itself in faults(records.cell(name)))


@pytest.mark.parametrize("error", [GPU_FULL, MemoryError("Unable to allocate 7.45 GiB")])
def test_a_cell_alone_is_computed_in_ever_more_parts(records: Records, error: Exception) -> None:
    memory = Memory(records, room=2, error=error)
    assert memory.make("ab")["a"].done
    assert memory.tried == [("ab", 1), ("a", 1), ("a", 2), ("a", 4), ("b", 1), ("b", 2), ("b", 4)]
    result = records.cell("a").result()
    assert result is not None
    assert (result.cohort, result.num_parts) == (1, 4)


def test_a_cell_fails_by_itself_where_not_even_one_example_fits(records: Records) -> None:
    memory = Memory(records, room=0.5)
    (end,) = memory.make("a").values()
    assert end.reason == "out of GPU memory: OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    assert [num_parts for _, num_parts in memory.tried] == [1, 2, 4, 8]
    assert records.cell("a").state() == "failed"


def test_out_of_host_memory_says_how_much_is_held(records: Records) -> None:
    (end,) = Memory(records, room=0.5, error=MemoryError("Unable to allocate 7.45 GiB")).make("a").values()
    assert end.reason is not None
    expected = "out of host memory: MemoryError: Unable to allocate 7.45 GiB; the process holds "
    assert end.reason.startswith(expected)
    assert end.reason.endswith(" GB are free")


def test_the_next_trial_begins_in_the_smaller_size(records: Records) -> None:
    """Also one of a later command, after the process that met the limit has died."""
    memory = Memory(records, room=2)
    memory.died_at = 5
    with pytest.raises(KeyboardInterrupt):
        memory.make("ab")
    assert memory.tried == [("ab", 1), ("a", 1), ("a", 2), ("a", 4), ("b", 1)]
    again = Memory(records, room=2)
    again.make("b")
    assert again.tried == [("b", 1), ("b", 2), ("b", 4)]
    third = Memory(records, room=2 * BATCH_SIZE)
    third.make("cd")
    assert third.tried == [("cd", 1)]


def test_another_error_of_a_cohort_is_charged_to_the_cell_that_has_it_alone(records: Records) -> None:
    memory = Memory(records, room=0, error=KeyError("labels"))
    ends = memory.make("abc")
    assert memory.tried == [("abc", 1), ("ab", 1), ("a", 1), ("b", 1), ("c", 1)]
    assert {end.reason for end in ends.values()} == {"KeyError: 'labels'"}


def test_a_cell_that_failed_by_itself_begins_anew(records: Records) -> None:
    """Who tries it again has mended the cause, or has a larger GPU."""
    Memory(records, room=0.5).make("a")
    again = Memory(records, room=BATCH_SIZE)
    assert again.make("a")["a"].done
    assert again.tried == [("a", 1)]
