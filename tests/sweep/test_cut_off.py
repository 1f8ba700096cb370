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
from trainables.metrics import Metrics

NUM_STEPS = 240
CONFIG: dict[str, Any] = {
    "name": "cut",
    "base": {
        **base("bert"),
        "train": {"max_steps": NUM_STEPS, "batch_size": 8, "evaluate_every": 30, "checkpoint_minutes": 0.03},
    },
    "axes": {"strategy": ["none", "forward", "reverse"]},
}
WAIT_SECONDS = 200


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

    def metrics(self) -> dict[str, tuple[Metrics, list[tuple[int, Metrics]]]]:
        """Fingerprint -> final metrics and rows of the journal, without times and rates."""
        return {
            cell.identity: (timeless(result.metrics), rows(cell)) for cell in self.cells if (result := cell.result())
        }


def timeless(metrics: Metrics) -> Metrics:
    timed = ("seconds/", "train/examples_per_second")
    return {name: value for name, value in metrics.items() if not name.startswith(timed)}


def rows(cell: CellRecord) -> list[tuple[int, Metrics]]:
    return [(row["step"], numbers) for row in cell.journal() if (numbers := timeless(row["metrics"]))]


def worker_of(cell: CellRecord) -> int:
    log = cell.storage.read(f"{cell.root}/attempts/{cell.attempts()[-1]}/log.txt")
    found = re.search(rb" as process (\d+) for the sweep ", log or b"")
    assert found
    return int(found[1])


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Every cell alone, in one piece."""
    sweep = Sweep(tmp_path_factory.mktemp("calm"))
    config = sweep.folder / "cut.yaml"
    config.write_text(json.dumps(CONFIG))
    done = command(str(config), "resources.cohort=1", storage=sweep.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return sweep


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """One cohort whose worker is killed, then the command with all its workers; the same command ends it in two."""
    sweep = Sweep(tmp_path_factory.mktemp("cut"))
    first = sweep.start("resources.cohort=3")
    try:
        sweep.wait(lambda cell: checkpoints.last_step(cell) > 0)
        os.kill(worker_of(sweep.cells[0]), signal.SIGKILL)
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


def test_the_numbers_are_those_of_each_cell_alone(calm: Sweep, cut: Sweep) -> None:
    undisturbed, disturbed = calm.metrics(), cut.metrics()
    assert len(undisturbed) == 3
    for key, (metrics, journal) in undisturbed.items():
        assert disturbed[key] == (metrics, journal)
    for one, other in zip(calm.cells, cut.cells, strict=True):
        for name in ("student/model.safetensors", "angles.npz", "per_state.json", "predictions.jsonl"):
            files = one.path(name), other.path(name)
            assert (name in ("student/model.safetensors",)) or all(files)
            if all(files):
                assert files[0].read_bytes() == files[1].read_bytes()  # type: ignore[union-attr]


def test_each_cell_continues_from_its_checkpoints(cut: Sweep) -> None:
    for cell in cut.cells:
        assert cell.chain(3) == [1, 2, 3]
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
