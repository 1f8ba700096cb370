"""The drivers of a sweep name: who stays, who leaves, and who is the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from sweep.records import heartbeats
from sweep.records.drivers import Busy, Drivers
from sweep.records.heartbeats import DEAD_SECONDS, Holder, Judge
from sweep.records.storage import Storage
from sweep.spec.command import Mode


@dataclass
class World:
    """A storage, and a time that passes where a driver waits."""

    storage: Storage
    now: float = 0.0
    said: list[str] = field(default_factory=list[str])
    at_each_second: Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.at_each_second()

    def driver(self, mode: Mode = "alone", *, host: str = "elsewhere", name: str = "demo") -> Drivers:
        """A driver on another machine than this one."""
        made = Drivers(self.storage, name, "sqlite:///a.db", mode, self.said.append, self.sleep)
        process = made.holder.facts.process.model_copy(update={"host": host, "machine": host, "pid": 7})
        made.holder.facts = made.holder.facts.model_copy(update={"process": process, "since": 0})
        made.judge = Judge(self.storage, lambda: self.now)
        return made

    def start(self, mode: Mode = "alone", **fields: str) -> Drivers:
        made = self.driver(mode, **fields)
        made.settle()
        made.enter()
        return made

    def kill(self, driver: Drivers) -> None:
        """Ends its heartbeat thread, and leaves its files as they are."""
        file = heartbeats.read(self.storage, driver.holder.token)
        driver._at_end.close()
        assert file is not None
        self.storage.write(f"heartbeats/{driver.holder.token}.json", file.dump())

    def files(self) -> list[str]:
        names = [name for name in self.storage.list("sweeps/demo") if name.startswith("driver-")]
        return names + self.storage.list("heartbeats")


@pytest.fixture(params=["folder", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(Storage(str(tmp_path / "runs") if request.param == "folder" else f"memory://{uuid4().hex}"))


def test_the_second_is_told_who_runs_the_sweep(world: World) -> None:
    first = world.start()
    world.at_each_second = first.holder.beat
    message = (
        r"^Another command runs the sweep demo on elsewhere, process 7, since 1970-01-01 00:00:00 UTC\. "
        r"--wait waits for its end, and --join takes part in it\.$"
    )
    for _ in range(2):
        with pytest.raises(Busy, match=message):
            world.start()
    assert world.files() == ["driver-1.json", f"{first.holder.token}.json"]
    world.start(name="another").leave()
    first.leave()
    assert world.files() == []
    world.start().leave()


def test_of_two_that_start_at_once_the_lower_number_stays(world: World) -> None:
    first, second = world.driver(), world.driver()
    for each in (first, second):
        each.settle()
    first.enter()
    world.at_each_second = first.holder.beat
    with pytest.raises(Busy):
        second.enter()
    second.leave()
    assert world.files() == ["driver-1.json", f"{first.holder.token}.json"]
    assert first.is_last()


def test_one_waits_for_the_end_of_the_other(world: World) -> None:
    first = world.start()

    def live() -> None:
        first.holder.beat() if world.now < 100 else first.leave()

    world.at_each_second = live
    second = world.start("wait")
    assert second.has_waited
    assert not second.has_buried
    assert world.now == 100
    assert world.said == [f"This command waits for the end of {first.holder.facts}."]


@pytest.mark.parametrize("mode", ["alone", "wait", "join"])
def test_what_a_killed_driver_has_left_is_removed(world: World, mode: Mode) -> None:
    """Its trials' heartbeats too, by which their leases are dead at once for all."""
    first = world.start()
    trial = Holder(world.storage, "trial", "demo", first.holder.token)
    other = Holder(world.storage, "trial", "another", "driver of another")
    for each in (trial, other):
        each.beat()
    world.kill(first)
    second = world.start(mode)
    assert second.others() == []
    assert second.has_buried
    assert not second.has_waited
    assert DEAD_SECONDS <= world.now <= DEAD_SECONDS + 1
    assert heartbeats.present(world.storage).keys() == {second.holder.token, other.token}
    second.leave()
    assert world.files() == [f"{other.token}.json"]


def test_the_last_of_those_that_join_is_known(world: World) -> None:
    drivers = [world.start("join", host=f"host-{number}") for number in range(3)]
    world.at_each_second = lambda: [each.holder.beat() for each in drivers]
    assert [len(each.others()) for each in drivers] == [2, 2, 2]
    assert [each.is_last() for each in drivers] == [False, False, True]
    with pytest.raises(Busy):
        world.start()
    for each in drivers:
        each.leave()
    assert world.files() == []


def test_of_two_that_leave_at_once_one_is_the_last(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sees the other leave."""
    first, second = (world.start("join", host=host) for host in ("a", "b"))
    world.at_each_second = lambda: [each.holder.beat() for each in (first, second)]
    others, answers = first.others, []

    def leave_meanwhile() -> object:
        seen = others()
        if not answers:
            answers.append(seen)
            second._withdraw()
        return seen

    monkeypatch.setattr(first, "others", leave_meanwhile)
    assert first.is_last()
    second._register()
    assert second._earlier()
    assert answers[0]


def test_the_cells_that_others_compute_are_known(world: World) -> None:
    first, second = world.start("join", host="a"), world.start("join", host="b")
    world.at_each_second = lambda: [each.holder.beat() for each in (first, second)]
    for driver, cell in ((first, "a"), (second, "b")):
        trial = Holder(world.storage, "trial", "demo", driver.holder.token)
        trial.steps = {cell: (3, None)}
        trial.beat()
    assert (first.running(), second.running()) == ({"b"}, {"a"})
    second.leave()
    assert first.running() == set()


def test_the_next_one_knows_that_an_unclean_end_has_left_something(world: World) -> None:
    world.start().leave(is_clean=False)
    assert world.files() == ["driver-1.json"]
    second = world.start()
    assert second.has_buried
    assert world.now == 0
    assert world.files() == ["driver-1.json", f"{second.holder.token}.json"]
    second.leave()
    assert world.files() == []
