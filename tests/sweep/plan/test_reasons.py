"""Why the plan has something to do."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from sweep.plan import states
from sweep.plan.checks import prepare
from sweep.plan.reasons import reasons
from sweep.plan.states import Plan
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from tests.sweep.finished import ENVIRONMENT
from tests.sweep.own_data import rows_of, write_all, write_rows
from tests.sweep.tracked import begin, finish_teacher, make_result


@pytest.fixture(autouse=True)
def _no_places_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def planned(folder: Path, *overrides: str) -> tuple[Plan, Records]:
    checked = prepare(folder / "sweep.yaml", [f"storage={folder}/runs", *overrides])
    records = Records(Storage(checked.config.storage_url))
    return Plan.of(checked, records), records


@pytest.fixture
def finished(tmp_path: Path) -> Plan:
    """A sweep of two cells that has ended."""
    write_all(tmp_path, axes={"strategy": ["none", "forward"]})
    plan, records = planned(tmp_path)
    for key in plan.teacher_cells:
        finish_teacher(records.teacher(key), {"test/accuracy": 0.9})
    for key in plan.cells:
        attempt = begin(records.cell(key))
        attempt.commit(make_result(attempt))
    Sweep(
        name="own",
        command="",
        time=1,
        environment=ENVIRONMENT,
        cells=tuple(plan.cells.values()),
        tracking_uri="",
        experiment_id="",
        runs={},
    ).store(records.storage)
    return plan


def why(folder: Path, *overrides: str) -> dict[str, str]:
    """Label -> reason."""
    plan, records = planned(folder, *overrides)
    return {plan.labels[key]: reason for key, reason in reasons(plan, records, "own").items()}


def test_what_is_done_and_a_first_sweep_have_no_reasons(finished: Plan, tmp_path: Path) -> None:
    assert why(tmp_path) == {}
    assert why(tmp_path, f"storage={tmp_path}/others") == {}


def test_a_cell_differs_from_the_nearest_finished_one(finished: Plan, tmp_path: Path) -> None:
    none, forward = (key[:4] for key in finished.cells)
    assert why(tmp_path, "base.losses.hidden=1") == {
        "own · forward · teacher · s0": f"as {forward}… but losses.hidden 3 → 1"
    }
    assert why(tmp_path, "axes.seed=[1]", "base.losses.ce=0.5") == {
        "own · none · teacher · s1": f"as {none}… but seed 0 → 1, losses.ce 1 → 0.5",
        "own · forward · teacher · s1": f"as {forward}… but seed 0 → 1, losses.ce 1 → 0.5",
    }
    assert why(tmp_path, "axes.strategy=[reverse]") == {
        "own · reverse · teacher · s0": f"as {forward}… but strategy forward → reverse"
    }


def test_fewer_evaluated_rows_may_choose_another_best_model(finished: Plan, tmp_path: Path) -> None:
    none, forward, teacher = (key[:4] for key in (*finished.cells, *finished.teacher_cells))
    assert why(tmp_path, "base.task.num_eval=1") == {
        "own · teacher · words": f"as {teacher}… but task.num_eval null → 1",
        "own · none · teacher · s0": f"as {none}… but task.num_eval null → 1",
        "own · forward · teacher · s0": f"as {forward}… but task.num_eval null → 1",
    }


def test_one_that_is_far_from_all_is_new(finished: Plan, tmp_path: Path) -> None:
    far = ["base.losses.hidden=1", "base.losses.ce=2", "base.losses.kl=2", "base.train.learning_rate=1"]
    assert why(tmp_path, "axes.strategy=[forward]", *far) == {}


def test_data_and_teachers_that_changed_are_named(finished: Plan, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", rows_of("other train"))
    cells = {"own · none · teacher · s0": "its data changed", "own · forward · teacher · s0": "its data changed"}
    assert why(tmp_path) == {"own · teacher · words": "its data changed", **cells}


def test_faults_come_first(finished: Plan, tmp_path: Path) -> None:
    plan, records = planned(tmp_path, "axes.seed=[1]")
    lost, broken = plan.cells
    begin(records.cell(lost))
    begin(records.cell(broken)).fail("not finite at step 7", "a message", by_itself=True)
    assert why(tmp_path, "axes.seed=[1]") == {
        "own · none · teacher · s1": "cut off",
        "own · forward · teacher · s1": "failed: not finite at step 7",
    }


@pytest.mark.parametrize("width", [80, 120])
def test_the_plan_shows_them(finished: Plan, tmp_path: Path, width: int) -> None:
    plan, records = planned(tmp_path, "base.losses.hidden=1")
    file = io.StringIO()
    states.show(plan, Console(file=file, width=width), reasons(plan, records, "own"))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    shown = " ".join(" ".join(lines).split())
    assert f"to do 10 epochs as {list(finished.cells)[1][:4]}… but" in shown
    assert "losses.hidden 3 → 1" in shown
    done = next(line for line in lines if "none" in line)
    assert done.rstrip().endswith("epochs")
