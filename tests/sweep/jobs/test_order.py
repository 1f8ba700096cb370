"""Which job is given to Tune when: a cell once its teacher is there, and never where that has failed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import tune
from ray.tune.experiment import Experiment, Trial

from sweep.jobs import schedule
from sweep.jobs.order import AfterTeachers, NewestFirst
from sweep.jobs.progress import ENDED
from sweep.spec.sweep import SweepConfig
from tests.sweep.tiny import Unwatched

NEEDS = {"a1": "a", "a2": "a", "b1": "b"}
JOBS = ["a", "b", "a1", "b1", "ready", "a2"]


class Jobs:
    """The order of these jobs, by name: what Tune would do with it."""

    def __init__(self, num_at_once: int = len(JOBS)) -> None:
        self.succeeded: set[str] = set()
        self.announced: list[int] = []
        self.num_at_once = num_at_once
        self.order = AfterTeachers(NEEDS, self.succeeded.__contains__, lambda: num_at_once, self.announce)
        self.order.add_configurations(Experiment("jobs", print, config={"job": tune.grid_search(JOBS)}))
        self.ids: dict[str, str] = {}

    def announce(self, num_trials: int, room: int) -> None:
        assert room == self.num_at_once
        self.announced.append(num_trials)

    def __iter__(self) -> Iterator[str]:
        """All that may begin by now."""
        while trial := self.order.next_trial():
            self.ids[trial.config["job"]] = trial.trial_id
            yield trial.config["job"]

    def end(self, job: str, *, succeeds: bool = True) -> None:
        self.succeeded |= {job} if succeeds else set()
        self.order.on_trial_complete(self.ids[job], {"done": True})


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


def test_a_cell_begins_once_its_own_teacher_is_there(jobs: Jobs) -> None:
    assert [*jobs] == ["a", "b", "ready"]
    assert [*jobs] == []
    jobs.end("b")
    assert [*jobs] == ["b1"]
    jobs.end("ready")
    jobs.end("b1")
    assert not jobs.order.is_finished()
    jobs.end("a")
    assert [*jobs] == ["a1", "a2"]
    assert jobs.order.is_finished()


def test_without_its_teacher_no_cell_begins(jobs: Jobs) -> None:
    assert [*jobs] == ["a", "b", "ready"]
    jobs.end("a", succeeds=False)
    assert [*jobs] == []
    assert not jobs.order.is_finished()
    for _ in range(2):  # as Tune does where it cannot stop a trial
        jobs.order.on_trial_complete(jobs.ids["b"], error=True)
    assert [*jobs] == []
    assert jobs.order.is_finished()


def test_no_more_begin_than_there_is_room_for() -> None:
    jobs = Jobs(num_at_once=2)
    assert [*jobs] == ["a", "b"]
    jobs.end("b")
    assert [*jobs] == ["b1"]
    jobs.end("b1")
    jobs.end("b1")
    assert [*jobs] == ["ready"]
    assert not jobs.order.is_finished()


def test_what_could_run_is_announced_whether_or_not_there_is_room() -> None:
    jobs = Jobs(num_at_once=1)
    assert [*jobs] == ["a"]
    assert set(jobs.announced) == {3}  # a, b and the cell whose teacher is ready
    jobs.end("a")
    assert [*jobs] == ["b"]
    assert jobs.announced[-1] == 4  # b, ready and the two cells of a
    jobs.end("b", succeeds=False)
    assert [*jobs] == ["a1"]
    assert jobs.announced[-1] == 3  # a1, ready and a2; b1 never begins


def test_one_begins_where_no_node_has_room() -> None:
    assert [*Jobs(num_at_once=0)] == ["a"]


@dataclass
class Controller:
    """Tune's controller, as far as a scheduler looks at it."""

    trials: list[Trial]

    def get_trials(self) -> list[Trial]:
        return self.trials


def test_a_free_worker_takes_the_newest_trial() -> None:
    trials = [Trial("jobs", stub=True) for _ in range(4)]
    trials[0].status = trials[3].status = Trial.RUNNING
    all_of_them: Any = Controller(trials)
    none_pending: Any = Controller([trials[0], trials[3]])
    newest_first = NewestFirst(lambda job: False)
    assert newest_first.choose_trial_to_run(all_of_them) is trials[2]
    assert newest_first.choose_trial_to_run(none_pending) is None


def record_worker(config: dict[str, Any], folder: Path) -> None:
    """Records the process of a job, which ends once another job has begun; the one that loads is only ever stopped."""
    job = config["job"]
    (folder / job).write_text(str(os.getpid()))
    awaited = folder / {"teacher": "loading", "loading": "nothing", "first": "second", "second": "first"}[job]
    deadline = time.monotonic() + 600
    while not awaited.exists() and time.monotonic() < deadline:
        tune.report({})
        time.sleep(0.1)
    tune.report({ENDED: {job: {"done": True, "reason": None, "delivered": True, "elsewhere": None}}})


def test_cells_run_on_the_workers_that_were_there_before_them(tmp_path: Path) -> None:
    """On that of the teacher, and on the one that loaded at the same time, which is stopped."""
    jobs = ["teacher", "loading", "first", "second"]
    schedule.start(num_cpus=2)
    try:
        ends = schedule.run(
            record_worker,
            {job: {} if job == "loading" else {job: job} for job in jobs},
            SweepConfig(name="order"),
            Unwatched(),
            {"first": "teacher", "second": "teacher"},
            {"loading": {"teacher"}},
            folder=tmp_path,
        )
    finally:
        ray.shutdown()
    assert set(ends.facts) == {"teacher", "first", "second"}
    workers = {job: (tmp_path / job).read_text() for job in jobs}
    assert {workers["first"], workers["second"]} == {workers["teacher"], workers["loading"]}
    assert workers["first"] != workers["second"]
