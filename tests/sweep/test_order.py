"""Which job is given to Tune when: a cell once its teacher is there, and never where that has failed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ray import tune
from ray.tune.experiment import Experiment

from sweep.order import AfterTeachers

NEEDS = {"a1": "a", "a2": "a", "b1": "b"}
JOBS = ["a", "b", "a1", "b1", "ready", "a2"]


class Jobs:
    """The order of these jobs, by name: what Tune would do with it."""

    def __init__(self) -> None:
        self.succeeded: set[str] = set()
        self.order = AfterTeachers(NEEDS, self.succeeded.__contains__)
        self.order.add_configurations(Experiment("jobs", print, config={"job": tune.grid_search(JOBS)}))
        self.ids: dict[str, str] = {}

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
