"""Jobs as they go to the scheduler and to the terminal."""

from __future__ import annotations

import pickle
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from sweep.jobs import loading, schedule, work
from sweep.jobs.attempts import Context
from sweep.jobs.work import Job, distinct
from sweep.records.environment import CodeVersion
from sweep.spec.sweep import SweepConfig
from sweep.tracking.runs import RunSpec
from tests.sweep.tracked import make_cell
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.rows import Data


class Begun:
    """A terminal.LiveProgress that only hears what begins."""

    def __init__(self) -> None:
        self.groups: list[dict[str, dict[str, int | None]]] = []

    def begin(self, groups: dict[str, dict[str, int | None]]) -> None:
        self.groups.append(groups)


DATA = {
    "da7a": Data(rows := [ClassificationRow((str(number),), 0) for number in range(100)], rows, rows, ("a",), "da7a")
}
ELSEWHERE = {"three": "computed by the sweep other"}
CONTEXT = Context("own", "runs", None, CodeVersion.here(), 1, "a driver")


def test_a_cell_waits_for_the_teacher_that_is_made_and_the_terminal_knows_all_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[dict[str, list[str]], dict[str, str]]] = []

    def run(
        trainable: Any, names: schedule.Names, config: Any, watcher: Any, needs: dict[str, str], **parameters: Any
    ) -> schedule.Ends:
        jobs = pickle.loads(pickle.dumps(parameters["jobs"]))  # as a worker gets them
        made.append(({name: [run.identity for run in job.runs] for name, job in jobs.items()}, needs))
        assert [*names] == ["made", "one", "two"]
        keys = [key for each in names.values() for key in each]
        return schedule.Ends({key: {"delivered": key == "one", "elsewhere": ELSEWHERE.get(key)} for key in keys})

    monkeypatch.setattr(schedule, "run", run)
    monkeypatch.setattr("ray.put", lambda value: value)
    monkeypatch.setattr("sweep.jobs.room.num_at_once", lambda resources: 2)
    progress: Any = Begun()
    ready = make_cell("one", train={"epochs": 3, "batch_size": 8, "accumulation": 2})
    trained = make_cell(
        "two",
        teacher="made",
        train={"max_steps": 15},
        model={"name": "t5", "finetune": {"epochs": 1, "batch_size": 50}},
    )
    cells = [ready, trained, make_cell("three", strategy="none", train=ready.config.train)]
    config = SweepConfig(name="own")
    jobs = [Job((trained,), (RunSpec.of_teacher(trained, "its teacher", "parent", {}),))]
    for cohort in ([ready, cells[2]], [trained]):
        runs = [RunSpec.of_cell(cell, f"cell {cell.fingerprint}", "parent", {}) for cell in cohort]
        jobs.append(Job(tuple(cohort), tuple(runs)))
    assert [(job.kind, job.needs) for job in jobs] == [
        ("teacher", None),
        ("cell", "7eac4e4"),
        ("cell", "made"),
    ]
    assert work.make(jobs, config, CONTEXT, DATA, progress) == work.Left(3, ELSEWHERE)
    assert work.make([], config, CONTEXT, DATA, progress) == work.Left(0)
    assert made == [({"made": ["made"], "one": ["one", "three"], "two": ["two"]}, {"two": "made"})]
    assert progress.groups == [
        {
            "teachers": {"its teacher": 2},
            "cells": {"cell one": 21, "cell two": 15, "cell three": 21},
        }
    ]


def test_jobs_of_one_name_are_told_apart() -> None:
    names = {"c0ffee00": "a", "decaf000": "b", "facade00": "a"}
    assert distinct(names) == {"c0ffee00": "a · c0ffee", "decaf000": "b", "facade00": "a · facade"}


def test_the_driver_names_what_workers_run_without_loading_it() -> None:
    """Torch and transformers' model classes take longer to load than Ray, and only a worker needs them."""
    code = (
        "import sys, sweep.conduct, sweep.jobs.work\n"
        "print([name for name in ('torch', 'transformers', 'peft', 'sklearn', 'mlflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.parametrize(
    ("num_at_once", "order"),
    [
        (1, ["made", "one", "two"]),
        (2, ["made", "loading-0", "one", "two"]),
        (9, ["made", "loading-0", "loading-1", "one", "two"]),
    ],
)
def test_workers_load_while_the_first_teacher_is_made(
    monkeypatch: pytest.MonkeyPatch, num_at_once: int, order: list[str]
) -> None:
    def run(trainable: Any, names: schedule.Names, *_: Any, jobs: Any, **parameters: Any) -> schedule.Ends:
        assert pickle.loads(pickle.dumps(jobs)).keys() == names.keys()
        assert [*names] == order
        return schedule.Ends()

    monkeypatch.setattr(schedule, "run", run)
    monkeypatch.setattr("ray.put", lambda value: value)
    monkeypatch.setattr("sweep.jobs.room.num_at_once", lambda resources: num_at_once)
    progress: Any = Begun()
    cells = [make_cell(name, teacher="made", model={"finetune": {"epochs": 1}}) for name in ("one", "two")]
    runs = [RunSpec.of_cell(cell, cell.fingerprint, "parent", {}) for cell in cells]
    all_jobs = [Job((cells[0],), (RunSpec.of_teacher(cells[0], "its teacher", "parent", {}),))]
    all_jobs += [Job((cell,), (run,)) for cell, run in zip(cells, runs, strict=True)]
    assert work.make(all_jobs, SweepConfig(name="own"), CONTEXT, DATA, progress) == work.Left()


def test_loading_ends_after_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now, reports = [0.0], list[dict[str, Any]]()
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + 100))
    monkeypatch.setattr("sweep.jobs.loading.time", clock)  # other threads have their own
    monkeypatch.setattr("ray.tune.report", reports.append)
    loading.load()
    assert now == [300.0]
    assert reports == [{}] * 3
