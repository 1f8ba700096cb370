"""A sweep whose worker and whose command are killed ends as one that nothing disturbed, in the same runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sweep.records import checkpoints
from sweep.records.records import CellRecord, Records
from sweep.records.storage import Storage
from tests.sweep.commands import cell_runs, command, start
from tests.sweep.tiny import base
from tests.sweep.tracked import pid_of
from tests.trainables.alone import timeless
from trainables import distill
from trainables.config import TrialConfig
from trainables.member import Member
from trainables.metrics import Metrics
from trainables.tasks import read

NUM_STEPS, NUM_THREADS = 120, 2
CONFIG: dict[str, Any] = {
    "name": "cut",
    "base": {
        **base("bert"),
        "train": {"max_steps": NUM_STEPS, "batch_size": 8, "evaluate_every": 10, "checkpoint_minutes": 0.03},
    },
    "axes": {"strategy": ["none", "forward", "reverse"]},
    "resources": {"cpus": NUM_THREADS},
}
WAIT_SECONDS = 900


@dataclass
class Sweep:
    folder: Path

    @property
    def cells(self) -> list[CellRecord]:
        storage = Storage(str(self.folder))
        return [Records(storage).cell(name) for name in storage.list("cells")]

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "cut.yaml"
        config.write_text(json.dumps(CONFIG))
        return start(str(config), *overrides, storage=self.folder)

    def wait(self, is_reached: Callable[[CellRecord], bool]) -> None:
        """Until each cell has reached a point."""
        end = time.monotonic() + WAIT_SECONDS
        while len(self.cells) < 3 or not all(map(is_reached, self.cells)):
            assert time.monotonic() < end
            time.sleep(0.1)


def rows(cell: CellRecord) -> list[tuple[int, Metrics]]:
    return [(row["step"], numbers) for row in cell.journal() if (numbers := timeless(row["metrics"]))]


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """One cohort whose worker is killed, then the command with all its workers; the same command ends it in two."""
    sweep = Sweep(tmp_path_factory.mktemp("cut"))
    first = sweep.start("resources.cohort=3")
    try:
        sweep.wait(lambda cell: checkpoints.last_step(cell) > 0)
        os.kill(pid_of(sweep.cells[0]), signal.SIGKILL)
        sweep.wait(lambda cell: bool(cell.storage.list(f"{cell.root}/attempts/2/journal")))
    finally:
        first.kill()
        first.communicate()
    plan = command(str(sweep.folder / "cut.yaml"), "--plan", storage=sweep.folder)
    assert len(re.findall(r"to do from step \d+", plan.stdout)) == 3, plan.stdout
    last = sweep.start("resources.cohort=2")
    shown, errors = last.communicate(timeout=WAIT_SECONDS)
    assert last.returncode == 0, shown + errors
    return sweep


def test_the_numbers_are_those_of_a_run_in_one_piece(cut: Sweep, tmp_path: Path) -> None:
    """In this process, without a checkpoint."""
    configs = [TrialConfig.model_validate(json.loads(declared(cell))["config"]) for cell in cut.cells]
    reports: list[list[tuple[int, Metrics]]] = [[] for _ in configs]
    members: list[Member] = []
    for cell, config, report in zip(cut.cells, configs, reports, strict=True):
        (folder := tmp_path / cell.identity).mkdir()
        members.append(Member(config, folder, lambda step, metrics, to=report: to.append((step, timeless(metrics)))))
    teacher = next((cut.folder / "teachers").glob("*/attempts/*/model"))
    outcomes = distill.run(members, read(configs[0].task), teacher, NUM_THREADS)
    for cell, member, outcome, report in zip(cut.cells, members, outcomes, reports, strict=True):
        result = cell.result()
        assert result is not None
        assert not isinstance(outcome, Exception)
        assert timeless(result.metrics) == timeless(outcome.metrics)
        assert by_step(rows(cell)) == by_step(report)
        for name in ("angles.npz", "per_state.json", "predictions.jsonl"):
            file = cell.path(name)
            assert file is not None
            assert file.read_bytes() == (member.folder / name).read_bytes()


def declared(cell: CellRecord) -> bytes:
    content = cell.storage.read(f"{cell.root}/cell.json")
    assert content is not None
    return content


def by_step(rows: list[tuple[int, Metrics]]) -> dict[tuple[int, str], float]:
    """Every metric of every step; each is there once."""
    values = [((step, name), value) for step, metrics in rows for name, value in metrics.items()]
    assert len(dict(values)) == len(values)
    return dict(values)


def test_each_cell_continues_from_its_checkpoints(cut: Sweep) -> None:
    for cell in cut.cells:
        assert cell.chain(3) == [1, 2, 3]
        failure = cell.failure_of(1)  # which the driver has told the record
        assert failure is not None
        assert (failure.fault, failure.by_itself) == ("device or node lost", False)
        assert failure.batches
        assert checkpoints.points(cell) == []
    assert [cell.result().cohort for cell in cut.cells] != [3, 3, 3]  # type: ignore[union-attr]


def test_each_cell_has_one_run_in_which_no_point_is_twice(cut: Sweep) -> None:
    client = MlflowClient(tracking_uri=f"sqlite:///{cut.folder}/mlflow.db")
    runs = {run.data.tags["cell"]: run for run in cell_runs(cut.folder, "cut")}
    assert len(cell_runs(cut.folder, "cut")) == 3
    for cell in cut.cells:
        run = runs[cell.identity]
        assert run.info.status == "FINISHED"
        assert "reason" not in run.data.tags
        assert run.info.start_time == cell.attempt(1).time
        for key in ("train/loss", "eval/loss", "train/lr"):
            steps = [point.step for point in client.get_metric_history(run.info.run_id, key)]
            journal = [row["step"] for row in cell.journal() if key in row["metrics"]]
            assert steps == sorted(set(steps)) == journal
