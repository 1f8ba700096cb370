"""Workers that die: what the driver tells the records, and a record whose worker dies twice at the same place."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from sweep.jobs import attempts, deaths, ladder, places
from sweep.jobs.attempts import Context, Ended, Target, Try
from sweep.jobs.claims import claimed
from sweep.jobs.deaths import Deaths
from sweep.jobs.faults import Fault
from sweep.jobs.ladder import Rung
from sweep.jobs.progress import Progress
from sweep.records.environment import CodeVersion
from sweep.records.records import Records
from sweep.records.storage import Storage
from tests.faults.cuts import forkserver
from tests.sweep.tracked import begin, make_cell, make_result, spec
from trainables import pulse

CODE = CodeVersion(git_commit="abc", git_dirty=False, source_hash="def", versions={})
CAUSE = "The actor is dead because its worker process has died."
DIED = (
    "The actor died unexpectedly before finishing this task.\n\tclass_name: ImplicitFunc\n\tpid: 2442\n"
    f"{CAUSE} Worker exit type: SYSTEM_ERROR Worker exit detail: Worker unexpectedly exits with a connection error"
)
KILLED = (
    "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2, ID: 87f3) was "
    "22.63GB used / 23.54GB limit (0.96)\nOOM kill reason: Memory usage exceeded threshold"
)
RAISED = "\x1b[36mray::ImplicitFunc.train()\x1b[39m (pid=7)\n  File ...\nOSError: no network"
DRIVER = "a driver"


def trial(folder: str, names: str, num_batches: int | None, num_parts: int = 8) -> None:
    """A trial of these records, whose process is killed after so many batches; None: it ends."""
    records = Records(Storage(folder))
    context, progress = Context("own", folder, None, CODE, 1, DRIVER), Progress(lambda facts: None)
    every = [records.cell(name) for name in names]
    with claimed(every, context, progress) as claim:

        def compute(tries: Sequence[Try], num_parts: int) -> list[Any]:
            for _ in range(1 if num_batches is None else num_batches):
                pulse.beat()
            if num_batches is not None:
                os.kill(os.getpid(), signal.SIGKILL)
            return [make_result(each.attempt, cohort=len(tries), num_parts=num_parts) for each in tries]

        def attempt(rung: Rung) -> dict[str, Ended]:
            targets = [
                Target(record, spec("", make_cell(record.identity)), start, claim.leases[record.identity])
                for record, start in rung.group
            ]
            return attempts.make(
                targets, context, rung.computing(compute), progress, rung.num_parts, may_split=rung.may_split
            )

        ladder.make(every, num_parts, attempt)


def lose(folder: Path, names: str, num_batches: int, failure: str = DIED) -> None:
    """A trial whose worker is killed, of which the driver is told."""
    process = forkserver.Process(target=trial, args=(str(folder), names, num_batches))
    process.start()
    process.join(600)
    assert process.exitcode == -signal.SIGKILL
    records = Records(Storage(str(folder)))
    told = Deaths({name: records.cell(name) for name in names}, DRIVER)
    for name in names:
        told.tell(name, failure)


def test_the_driver_tells_of_a_death_and_its_place(tmp_path: Path) -> None:
    lose(tmp_path, "a", 57)
    record = Records(Storage(str(tmp_path))).cell("a")
    failure = record.last_failure()
    assert failure is not None
    assert (failure.fault, failure.batches, failure.by_itself) == (Fault.DEVICE, 57, False)
    assert failure.reason == f"device or node lost: {CAUSE}"
    assert record.state() == "missing"
    record.storage.clean(record.root)
    assert not list(tmp_path.rglob(f"{places.START}*"))


def test_a_worker_that_dies_twice_at_the_same_place_is_poison(tmp_path: Path) -> None:
    lose(tmp_path, "a", 57)
    lose(tmp_path, "a", 57)
    trial(str(tmp_path), "a", None)
    record = Records(Storage(str(tmp_path))).cell("a")
    failure = record.failure()
    assert failure is not None
    assert failure.reason == (
        f"Poison: its worker was lost twice at the same place, batch 57 after step 0; device or node lost: {CAUSE}"
    )
    trial(str(tmp_path), "a", None)  # as with --retry-failed
    assert record.state() == "done"


@pytest.mark.parametrize("places_of_death", [(57, 58), (0, 0)])
def test_a_worker_that_dies_elsewhere_is_no_poison(places_of_death: tuple[int, int], tmp_path: Path) -> None:
    """Nor is one that dies before its first batch, where most of the time goes into the start."""
    for num_batches in places_of_death:
        lose(tmp_path, "a", num_batches)
    trial(str(tmp_path), "a", None)
    assert Records(Storage(str(tmp_path))).cell("a").state() == "done"


def test_a_cohort_that_dies_twice_at_the_same_place_is_halved(tmp_path: Path) -> None:
    lose(tmp_path, "abc", 57)
    lose(tmp_path, "abc", 57)
    trial(str(tmp_path), "abc", None)
    results = [Records(Storage(str(tmp_path))).cell(name).result() for name in "abc"]
    assert [result.cohort for result in results if result] == [2, 2, 1]


def test_a_worker_that_the_memory_monitor_kills_goes_on_in_halves(tmp_path: Path) -> None:
    lose(tmp_path, "ab", 3, KILLED)
    record = Records(Storage(str(tmp_path))).cell("a")
    failure = record.last_failure()
    assert failure is not None
    assert failure.fault == Fault.HOST_MEMORY
    assert failure.reason == f"out of host memory: {KILLED.splitlines()[0]}"
    lose(tmp_path, "a", 3, KILLED)
    trial(str(tmp_path), "ab", None)
    results = [Records(Storage(str(tmp_path))).cell(name).result() for name in "ab"]
    assert [(result.cohort, result.num_parts) for result in results if result] == [(1, 2), (1, 1)]


def test_only_an_own_attempt_that_has_not_ended_is_told(records: Records) -> None:
    told = Deaths({name: records.cell(name) for name in ("other", "ended", "raised", "never")}, DRIVER)
    begin(records.cell("other"), driver="another driver")
    begin(records.cell("ended"), driver=DRIVER).fail("no network", "", by_itself=False)
    begin(records.cell("raised"), driver=DRIVER)
    for name in told.records:
        told.tell(name, RAISED if name == "raised" else DIED)
    assert records.cell("other").last_failure() is None
    assert records.cell("raised").last_failure() is None
    failure = records.cell("ended").last_failure()
    assert failure is not None
    assert failure.reason == "no network"


def test_the_last_failure_of_a_trial(tmp_path: Path) -> None:
    trial: Any = SimpleNamespace(error_file=str(tmp_path / "error.txt"))
    assert deaths.last_failure(trial) == "its worker died"
    text = f"Failure # 1 (occurred at 2026-11-28_02-39-00)\n{RAISED}\nFailure # 2 (occurred at 2026-11-28)\n{DIED}\n"
    (tmp_path / "error.txt").write_text(text)
    assert deaths.last_failure(trial) == DIED
    assert deaths.in_short(DIED) == CAUSE
    assert deaths.in_short(KILLED) == KILLED.splitlines()[0]
    assert deaths.in_short(RAISED) == "OSError: no network"


def test_tune_takes_a_worker_that_the_memory_monitor_kills_for_one_that_died() -> None:
    """Else it raises a RuntimeError, which ends all trials."""
    errors: list[Exception] = []
    actor = SimpleNamespace(actor_id=1, _on_error=lambda actor, error: errors.append(error))
    task: Any = SimpleNamespace(_tracked_actor=actor, _on_error=None)
    manager: Any = SimpleNamespace(_failed_actor_ids=set(), _cleanup_actor=lambda tracked_actor: None)

    def fail(error: Exception) -> None:
        RayActorManager._actor_task_failed(manager, tracked_actor_task=task, exception=error)  # type: ignore[reportPrivateUsage]

    with pytest.raises(RuntimeError, match="Caught unexpected exception"):
        fail(OutOfMemoryError(KILLED))
    with deaths.known_to_tune():
        fail(OutOfMemoryError(KILLED))
        fail(RayTaskError("train", "Traceback", KeyError("x")))
    (error,) = errors
    assert isinstance(error, RayActorError)
    assert str(error) == KILLED
