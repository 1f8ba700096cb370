"""Jobs as they go to the scheduler and to the terminal."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest

from sweep import schedule
from sweep.attempts import Context
from sweep.config import SweepConfig
from sweep.grid import Cell
from sweep.runs import RunSpec
from sweep.work import Work, distinct
from tests.sweep.tracked import make_cell
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.rows import Data


class Phases:
    def __init__(self) -> None:
        self.begun: list[tuple[str, dict[str, int | None]]] = []

    def phase(self, title: str, steps: dict[str, int | None]) -> None:
        self.begun.append((title, steps))


def run_of(cell: Cell) -> RunSpec:
    return RunSpec.of_cell(cell, "parent", {})


def test_the_terminal_knows_the_steps_of_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [ClassificationRow((str(number),), 0) for number in range(100)]
    made: list[list[str]] = []

    def run(trainable: Any, names: dict[str, str], *_: Any, jobs: dict[str, Any], **parameters: Any) -> schedule.Ends:
        made.append([*pickle.loads(pickle.dumps(jobs))])  # as a worker gets them
        return schedule.Ends({job: {"delivered": job == "one"} for job in names})

    monkeypatch.setattr(schedule, "run", run)
    monkeypatch.setattr("ray.put", lambda value: value)
    phases: Any = Phases()
    context = Context("own", "runs", None, {}, 1)
    work = Work(SweepConfig(name="own"), context, {"da7a": Data(rows, rows, rows, ("a",), "da7a")}, phases)
    cells = [
        make_cell("one", train={"epochs": 3, "batch_size": 8, "accumulation": 2}),
        make_cell("two", strategy="none", train={"max_steps": 5}),
    ]
    trained = make_cell(teacher="made", model={"name": "t5", "finetune": {"epochs": 1, "batch_size": 50}})
    assert work.teachers([cells[0], trained], run_of) == 2
    assert work.cells(cells, run_of) == 1
    assert work.cells([], run_of) == 0
    assert made == [["7eac4e4", "made"], ["one", "two"]]
    assert phases.begun == [
        ("teachers", {"bert · teacher · natural-logic": None, "t5 · teacher · natural-logic": 2}),
        ("cells", {"bert · forward · teacher · s0": 21, "bert · none · teacher · s0": 5}),
    ]


def test_jobs_of_one_name_are_told_apart() -> None:
    names = {"c0ffee00": "a", "decaf000": "b", "facade00": "a"}
    assert distinct(names) == {"c0ffee00": "a · c0ffee", "decaf000": "b", "facade00": "a · facade"}


def test_the_driver_names_what_workers_run_without_loading_it() -> None:
    """Torch and transformers' model classes take longer to load than Ray, and only a worker needs them."""
    code = (
        "import sys, sweep.conduct, sweep.work\n"
        "print([name for name in ('torch', 'transformers', 'peft', 'sklearn', 'mlflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
