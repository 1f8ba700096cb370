"""Leases and heartbeats of one machine and of others, on a folder and on a remote storage (memory)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from sweep.records import heartbeats, processes
from sweep.records.heartbeats import BEAT_SECONDS, DEAD_SECONDS, Holder, Judge
from sweep.records.leases import Lease, LeaseFile, LeaseLost, acquire, clear, current, is_free
from sweep.records.records import Record, Records
from sweep.records.storage import Storage
from sweep.records.waiting import until_free
from tests.sweep.tracked import finish_record


@dataclass
class Clock:
    """Seconds that pass only where a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["folder", "memory"])
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Record:
    url = str(tmp_path / "runs") if request.param == "folder" else f"memory://{uuid4().hex}"
    return Records(Storage(url)).cell("c0ffee")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def trial(record: Record, clock: Clock | None = None, sweep: str = "first", *, near: bool = False) -> Holder:
    """A trial with a heartbeat; of another machine unless it is near."""
    holder = Holder(record.storage, "trial", sweep, f"driver of {sweep}", clock or Clock())
    if not near:
        process = holder.facts.process.model_copy(update={"host": "elsewhere", "machine": "another"})
        holder.facts = holder.facts.model_copy(update={"process": process})
    holder.beat()
    return holder


def leased(record: Record, holder: Holder, judge: Judge | None = None) -> Lease:
    lease = acquire(record, holder, judge or Judge(record.storage))
    assert isinstance(lease, Lease)
    return lease


def look_on(judge: Judge, clock: Clock, token: str, seconds: float) -> heartbeats.Verdict:
    """Looks at a heartbeat every second for so long."""
    for _ in range(round(seconds)):
        judge.verdict(token)
        clock.now += 1
    return judge.verdict(token)


def lease_files(record: Record) -> Sequence[str]:
    return [name for name in record.storage.list(record.root) if name.startswith("lease-")]


def test_a_record_has_one_holder_until_it_is_released(record: Record) -> None:
    first, second = trial(record), trial(record, sweep="second")
    lease = leased(record, first)
    other = acquire(record, second, Judge(record.storage))
    assert other == lease.file == current(record)
    assert (
        lease.file.about
        == f"the sweep first on elsewhere, process {first.facts.process.pid}, since "
        + (other.about.rpartition("since ")[2])
    )
    lease.verify()
    lease.release()
    assert current(record) is None
    assert leased(record, second).number == 1
    assert lease_files(record) == ["lease-1.json"]


def test_of_many_at_once_one_gets_it(record: Record) -> None:
    holders = [trial(record, sweep=str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda holder: acquire(record, holder, Judge(record.storage)), holders))
    (lease,) = [each for each in leases if isinstance(each, Lease)]
    assert [each for each in leases if each is not lease] == [lease.file] * 7
    assert lease_files(record) == ["lease-1.json"]


def test_a_heartbeat_is_dead_once_an_observer_has_seen_it_unchanged_for_long(record: Record, clock: Clock) -> None:
    """Its times are never compared with the observer's."""
    holder, judge = trial(record), Judge(record.storage, clock)
    assert judge.verdict(holder.token) == "unknown"
    assert look_on(judge, clock, holder.token, DEAD_SECONDS - 1) == "unknown"
    holder.beat()
    assert look_on(judge, clock, holder.token, DEAD_SECONDS - 1) == "alive"
    assert look_on(judge, clock, holder.token, 1) == "dead"
    holder.beat()
    assert judge.verdict(holder.token) == "alive"


def test_the_time_of_an_observer_that_cannot_look_does_not_count(record: Record, clock: Clock) -> None:
    holder, judge = trial(record), Judge(record.storage, clock)
    judge.verdict(holder.token)
    for _ in range(int(DEAD_SECONDS / BEAT_SECONDS) - 1):
        clock.now += 3600
        assert judge.verdict(holder.token) == "unknown"
    clock.now += 3600
    assert judge.verdict(holder.token) == "dead"


def test_a_process_of_this_machine_is_dead_as_soon_as_it_has_ended(record: Record) -> None:
    """Also where no one has waited for its end, and where another process has its number."""
    judge, holder = Judge(record.storage), trial(record, near=True)
    assert judge.verdict(holder.token) == "alive"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        start = processes._start(child.pid)
        process = holder.facts.process.model_copy(update={"pid": child.pid, "started": start})
        holder.facts = holder.facts.model_copy(update={"process": process})
        holder.beat()
        assert judge.verdict(holder.token) == "alive"
        later = holder.facts.process.model_copy(update={"started": (start or 0) - 1})
        assert later.has_ended
        child.kill()
        while judge.verdict(holder.token) != "dead":
            pass
        assert child.returncode is None
    assert judge.verdict(holder.token) == "dead"


def test_the_record_of_a_dead_holder_is_taken_over_and_the_slow_one_knows(record: Record, clock: Clock) -> None:
    slow, judge = trial(record, clock), Judge(record.storage, clock)
    lease = leased(record, slow)
    lease.check()
    assert look_on(judge, clock, slow.token, DEAD_SECONDS) == "dead"
    assert is_free(record, judge)
    lease.verify()  # until someone takes it
    other = leased(record, trial(record, sweep="second"))  # a trial that has not looked on: for all it is dead now
    assert (other.number, lease_files(record)) == (2, ["lease-2.json"])
    slow.beat()
    message = f"this trial was too slow and has lost cells/c0ffee to {other.file.about}: it writes nothing more there"
    for ask in (lease.check, lease.verify):
        with pytest.raises(LeaseLost, match=message):
            ask()
    lease.release()
    other.verify()
    other.release()
    with pytest.raises(LeaseLost, match="has lost cells/c0ffee: it writes"):
        lease.verify()
    leased(record, trial(record, sweep="third"))  # with the number that the slow one had
    with pytest.raises(LeaseLost, match="has lost cells/c0ffee to the sweep third on "):
        lease.check()


def test_a_trial_in_time_asks_the_storage_for_nothing(record: Record, clock: Clock) -> None:
    holder = trial(record, clock)
    lease = leased(record, holder)
    for path in lease_files(record):
        record.storage.delete(f"{record.root}/{path}")
    for _ in range(100):
        clock.now += 5
        holder.beat()
        lease.check()
    clock.now += DEAD_SECONDS
    with pytest.raises(LeaseLost):
        lease.check()


def test_a_driver_takes_over_from_its_own_trial(record: Record) -> None:
    """It starts one again only after its end, so that it need not wait."""
    leased(record, trial(record))
    assert leased(record, trial(record)).number == 2


def test_what_a_killed_worker_has_left_of_its_lease_goes(record: Record) -> None:
    holder = trial(record)
    leased(record, holder)
    clear(record, Judge(record.storage))
    assert lease_files(record) == ["lease-1.json"]
    heartbeats.forget(record.storage, holder.token)
    clear(record, Judge(record.storage))
    assert lease_files(record) == []


def test_a_lease_that_changes_hands_while_it_is_taken_over_is_left(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number was released and given to a living trial between the judgement and the new number."""
    dead, living = trial(record), trial(record, sweep="living")
    lease = leased(record, dead)
    heartbeats.forget(record.storage, dead.token)
    create = record.storage.create

    def first(path: str, data: bytes) -> bool:
        monkeypatch.undo()
        lease.release()
        leased(record, living)
        return create(path, data)

    monkeypatch.setattr(Storage, "create", lambda _, path, data: first(path, data))
    other = acquire(record, trial(record, sweep="second"), Judge(record.storage))
    assert isinstance(other, LeaseFile)
    assert other.holder == living.token
    assert lease_files(record) == ["lease-1.json"]


def test_a_heartbeat_says_the_steps_and_goes_with_its_holder(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0.05)
    holder = Holder(record.storage, "trial", "first", "driver")
    with holder.beating():
        holder.steps = {"c0ffee": (7, 0.5)}
        while not (now := heartbeats.read(record.storage, holder.token)) or not now.steps:
            pass
        assert heartbeats.present(record.storage).keys() == {holder.token}
        assert now.steps == {"c0ffee": (7, 0.5)}
        assert now.process == processes.Process.here()
    assert heartbeats.present(record.storage) == {}


def test_the_wait_for_others_ends_with_the_last_or_with_a_dead_one(record: Record, clock: Clock) -> None:
    other = Records(record.storage).cell("facade")
    holder, judge = trial(record), Judge(record.storage, clock)
    for each in (record, other):
        leased(each, holder)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.now += seconds
        holder.beat()
        if len(waited) in (10, 20):
            finish_record((record, other)[len(waited) // 10 - 1])

    until_free([record, other], judge, sleep)
    assert waited == [1.0] * 20
    third = Records(record.storage).cell("decaf")
    leased(third, holder)
    until_free([third], judge, lambda seconds: setattr(clock, "now", clock.now + seconds))
    assert heartbeats.read(record.storage, holder.token) is None
