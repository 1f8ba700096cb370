"""What `--watch` shows of a sweep that other processes run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from sweep.plan import checks
from sweep.plan.states import Plan
from sweep.plan.watch import Watch
from sweep.records.checkpoints import StoredCheckpoints
from sweep.records.heartbeats import Holder
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.run import main
from tests.sweep.own_data import write_all
from tests.sweep.tracked import begin, finish_record, finish_teacher

STRATEGIES = ["none", "forward", "reverse", "all_to_one", "random"]


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> checks.Checked:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    return checks.prepare(write_all(tmp_path, axes={"strategy": STRATEGIES}))


def test_each_state_is_shown_until_the_sweep_ends(checked: checks.Checked, tmp_path: Path) -> None:
    records = Records(Storage(checked.config.storage_url))
    (teacher,) = Plan.of(checked, records).teacher_cells
    done, failed, cut, running, _ = keys = [cell.fingerprint for cell in checked.cells]
    finish_teacher(records.teacher(teacher), {"test/accuracy": 0.9})
    finish_record(records.cell(done))
    begin(records.cell(failed)).fail("not finite at step 3: loss nan", "", by_itself=True)
    (files := tmp_path / "files").mkdir()
    (files / "state").write_bytes(b"state")
    StoredCheckpoints(begin(records.cell(cut)), None).save(40, files)
    driver = Holder(records.storage, "driver", "own")
    trial = Holder(records.storage, "trial", "own", driver.token)
    trial.steps = {running: (7, 0.25)}
    for each in (driver, trial):
        each.beat()
    console = Console(file=(file := io.StringIO()), width=200)
    polls: list[str] = []

    def sleep(seconds: float) -> None:
        assert seconds == 2.0
        polls.append(file.getvalue())
        trial.steps = {running: (8, 0.125)} if len(polls) == 1 else {}
        trial.beat()
        if len(polls) == 3:
            records.storage.delete(f"heartbeats/{driver.token}.json")

    assert Watch("own", lambda: Plan.of(checked, records), records, console, sleep).run() == 0
    labels = Plan.of(checked, records).labels
    where = f"running on {trial.facts.process}, since {trial.facts.begun}: step 7, loss 0.25"
    states = ["done", "failed: not finite at step 3: loss nan", "resumable at step 40", where, "missing"]
    lines = [f"{labels[teacher]}: done", *(f"{labels[key]}: {state}" for key, state in zip(keys, states, strict=True))]
    assert polls[0].splitlines() == lines
    assert polls[1].splitlines() == lines  # a step is told every few seconds
    ended = "No command runs own now: teachers: 1 done; cells: 1 done, 1 failed, 3 to do"
    assert file.getvalue().splitlines() == [*lines, f"{labels[running]}: missing", ended]
    shown = Console(file=(screen := io.StringIO()), width=200, force_terminal=True, color_system=None)
    assert Watch("own", lambda: Plan.of(checked, records), records, shown, sleep).run() == 0
    for line in lines:
        label, _, state = line.partition(": ")
        assert label in screen.getvalue()
        assert state in screen.getvalue() or state == where


def test_an_interrupt_ends_the_watch_alone(checked: checks.Checked, tmp_path: Path) -> None:
    records = Records(Storage(checked.config.storage_url))
    driver = Holder(records.storage, "driver", "own")
    driver.beat()

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    plan = Plan.of(checked, records)
    assert Watch("own", lambda: plan, records, Console(quiet=True), interrupt).run() == 0


def test_the_flag_writes_nothing(checked: checks.Checked, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "sweep.yaml"), "--watch"]) == 0
    assert "No command runs own now: " in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
