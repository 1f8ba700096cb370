"""How long a plan says that it takes on the CPU, by the seconds of cells that are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.plan import minutes
from sweep.plan.checks import Checked, prepare
from sweep.plan.costs import cell_operations, teacher_operations
from sweep.plan.states import Plan, declare
from sweep.records import environment
from sweep.records.records import Records
from sweep.records.storage import Storage
from tests.sweep.own_data import write_all
from tests.sweep.tracked import ENVIRONMENT, begin, make_result

NUM_CPUS = 2


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is the one that tests/sweep/tracked.py speaks of."""
    monkeypatch.setattr(environment, "cpu", lambda: ENVIRONMENT.cpu)
    monkeypatch.setattr(environment, "num_cpus", lambda: NUM_CPUS)


def planned(folder: Path, *overrides: str) -> tuple[Checked, Plan, Records]:
    checked = prepare(write_all(folder, axes={"seed": [0, 1, 2]}), [f"storage={folder}/runs", *overrides])
    records = Records(Storage(checked.config.storage_url))
    return checked, Plan.of(checked, records), records


def finish(checked: Checked, records: Records, number: int, seconds: float, **facts: Any) -> None:
    cell = checked.cells[number]
    declare(cell, records)
    record = records.cell(cell.fingerprint)
    attempt = begin(record)
    metrics = {"best/accuracy": 0.5, "test/accuracy": 0.5, "seconds/total": seconds}
    attempt.commit(make_result(attempt, metrics=metrics, **facts))


def test_nothing_is_said_where_no_cell_tells(tmp_path: Path) -> None:
    checked, plan, _ = planned(tmp_path)
    assert minutes.estimate(checked, plan) == ""


def test_equal_cells_take_what_the_first_took(tmp_path: Path) -> None:
    checked, _, records = planned(tmp_path)
    finish(checked, records, 0, seconds=600)
    checked, plan, _ = planned(tmp_path)
    sizes = checked.sizes()[checked.cells[0].fingerprint]
    teacher = 600 * teacher_operations(sizes) / cell_operations(sizes)
    duration = float(f"{(2 * 600 + teacher) / NUM_CPUS / 60:.2g}")
    sentence = f"about {duration:g} minutes on this CPU, by what 1 cell of the storage took"
    assert minutes.estimate(checked, plan) == sentence


def test_a_cell_of_another_sweep_with_the_same_teacher_tells(tmp_path: Path) -> None:
    checked, _, records = planned(tmp_path)
    finish(checked, records, 0, seconds=1)
    checked, plan, _ = planned(tmp_path, "axes.seed=[5]", "base.train.epochs=3")
    assert minutes.estimate(checked, plan) == "less than a minute on this CPU, by what 1 cell of the storage took"


@pytest.mark.parametrize("other", [{"cpu": "a fast one"}, {"gpus": ["H100"]}])
def test_another_machine_tells_nothing(tmp_path: Path, other: dict[str, object]) -> None:
    checked, _, records = planned(tmp_path)
    finish(checked, records, 0, seconds=600, environment=ENVIRONMENT.model_copy(update=other))
    checked, plan, _ = planned(tmp_path)
    assert minutes.estimate(checked, plan) == ""


def test_nothing_is_said_where_nothing_is_to_do(tmp_path: Path) -> None:
    checked, _, records = planned(tmp_path)
    for number in range(3):
        finish(checked, records, number, seconds=600)
    checked, plan, _ = planned(tmp_path)
    assert minutes.estimate(checked, plan) == ""


def test_the_candidates_of_a_search_count(tmp_path: Path) -> None:
    """Nine candidates and two cells like the one that took ten minutes, and their teacher."""
    checked, _, records = planned(tmp_path)
    finish(checked, records, 0, seconds=600)
    checked, plan, _ = planned(tmp_path)
    cell = checked.cells[1].fingerprint
    sizes = checked.sizes()[cell]
    teacher = 600 * teacher_operations(sizes) / cell_operations(sizes)
    duration = float(f"{((2 + 9) * 600 + teacher) / NUM_CPUS / 60:.2g}")
    assert minutes.estimate(checked, replace(plan, trials={cell: 9})).startswith(f"about {duration:g} minutes ")
