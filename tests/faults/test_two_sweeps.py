"""Three commands on one storage at once, one of which is killed: the others end the sweeps as if nothing had happened.

Two run the same sweep, of which one has joined, and one runs another sweep that has the same cells.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sweep.records import checkpoints
from sweep.records.records import CellRecord, Records
from sweep.records.storage import Storage
from tests.sweep.commands import cell_runs, command, runs, start
from tests.sweep.tiny import base
from tests.trainables.alone import timeless
from trainables import distill
from trainables.config import TrialConfig
from trainables.member import Member
from trainables.metrics import Metrics
from trainables.tasks import read

STRATEGIES = ("none", "forward", "reverse", "all_to_one")
TRAIN = {"max_steps": 120, "batch_size": 8, "evaluate_every": 5, "checkpoint_minutes": 0.02}
CONFIG: dict[str, Any] = {
    "base": {**base("bert"), "train": TRAIN},
    "axes": {"strategy": STRATEGIES},
    "resources": {"cohort": 1},
}
GATE = """
import time
from pathlib import Path
from trainables.own_metrics import Metric
from trainables.plugins import register

calls = []

def rows(predicted, labels):
    calls.append(len(labels))
    while len(calls) > 5 and Path({gate!r}).exists():
        time.sleep(0.05)
    return {{"rows": float(len(labels))}}

register(Metric("classification", ("rows",), rows))
"""
"""A metric that holds cells before their end as long as a file is there, so that the test depends on no speed."""
WAIT_SECONDS = 900


def cells(folder: Path) -> list[CellRecord]:
    storage = Storage(str(folder))
    return [Records(storage).cell(name) for name in storage.list("cells")]


def wait(is_reached: Callable[[], Any], *processes: subprocess.Popen[str]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not is_reached():
        for process in processes:
            assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def in_one_piece(every: Sequence[CellRecord], folder: Path) -> list[Metrics]:
    """What the cells give in this process, which nothing disturbs and which has no plug-in."""
    members: list[Member] = []
    for cell in every:
        declared = cell.storage.read(f"{cell.root}/cell.json")
        assert declared is not None
        (own := folder / cell.identity).mkdir()
        config = TrialConfig.model_validate(json.loads(declared)["config"])
        members.append(Member(config, own, lambda step, metrics: None))
    teacher = next(Path(every[0].storage.url).glob("teachers/*/attempts/*/model"))
    outcomes = distill.run(members, read(members[0].config.task), teacher)
    return [timeless(outcome.metrics) for outcome in outcomes if not isinstance(outcome, Exception)]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The storage, and what the commands said."""
    folder = tmp_path_factory.mktemp("drivers")
    (gate := folder / "gate").write_text("")
    (folder / "gate.py").write_text(GATE.format(gate=str(gate)))
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(json.dumps({"name": name, "plugins": ["gate.py"], **CONFIG}))
    first = start("one.yaml", storage=folder)
    started = [first]
    said: dict[str, str] = {}
    try:
        wait(lambda: (folder / "sweeps/one/driver-1.json").exists(), first)
        refused = command("one.yaml", storage=folder)
        assert refused.returncode == 1, refused.stderr
        said["refused"] = refused.stdout
        started.append(joined := start("one.yaml", "--join", storage=folder))
        wait((folder / "sweeps/one/driver-2.json").exists, *started)
        started.append(other := start("two.yaml", storage=folder))
        wait((folder / "sweeps/two/sweep.json").exists, *started)  # from here on it can be named to `delete`
        wait(lambda: any(map(checkpoints.last_step, cells(folder))), *started)
        watching = start("one.yaml", "--watch", storage=folder)
        started.append(watching)
        said["watched"] = ""
        while not re.search(r": running on .+, process \d+, since .+ UTC: step \d+, loss ", said["watched"]):
            assert watching.stdout is not None
            line = watching.stdout.readline()
            assert line, said["watched"]
            said["watched"] += line
        deleted = subprocess.run(
            [sys.executable, "-m", "sweep.verbs.delete", "two", "--yes", "--storage", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert deleted.returncode == 2, deleted.stdout
        said["deleted"] = deleted.stderr
        first.send_signal(signal.SIGKILL)
        first.communicate()
        gate.unlink()
        waiting = start("one.yaml", "--wait", storage=folder)
        started.append(waiting)
        for name, process in (("joined", joined), ("other", other), ("waiting", waiting), ("watching", watching)):
            said[name], errors = process.communicate(timeout=WAIT_SECONDS)
            assert process.returncode == 0, said[name] + errors
    finally:
        for process in started:
            process.kill()
            process.communicate()
    return folder, said


def test_the_second_command_is_told_who_runs_the_sweep(swept: tuple[Path, dict[str, str]]) -> None:
    assert swept[1]["refused"].startswith("Another command runs the sweep one on ")
    assert "This command waits for the end of the sweep one on " in swept[1]["waiting"]
    assert re.match(r"storage: the sweep two on .+ is running and would lose its files; ", swept[1]["deleted"])


def test_another_terminal_sees_each_state_to_the_end_of_the_sweep(swept: tuple[Path, dict[str, str]]) -> None:
    """Cells that the other sweep computes too."""
    lines = [*swept[1]["watched"].splitlines(), *swept[1]["watching"].splitlines()]
    assert lines[-1] == "No command runs one now: teachers: 1 done; cells: 4 done"
    assert len([line for line in lines if line.endswith(": done")]) == len(STRATEGIES) + 1


def test_each_cell_has_the_numbers_of_a_run_in_one_piece(swept: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, _ = swept
    assert len(cells(folder)) == len(STRATEGIES)
    for cell, alone in zip(cells(folder), in_one_piece(cells(folder), tmp_path), strict=True):
        result = cell.result()
        assert result is not None
        assert {name: value for name, value in timeless(result.metrics).items() if not name.endswith("/rows")} == alone
        assert cell.attempts()[-1] == result.attempt  # nobody tried what was done
    assert len(Storage(str(folder)).list("teachers")) == 1


def test_every_sweep_has_a_finished_run_of_each_cell(swept: tuple[Path, dict[str, str]]) -> None:
    folder, _ = swept
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    for name in ("one", "two"):
        for kind, number in (("cell", len(STRATEGIES)), ("teacher", 1), ("sweep", 1)):
            found = runs(folder, name, kind)
            assert [run.info.status for run in found] == ["FINISHED"] * number, (name, kind)
            assert not [run for run in found if "reason" in run.data.tags]
        assert (folder / f"sweeps/{name}/report.html").exists()
        for run in cell_runs(folder, name):
            steps = [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")]
            assert steps == sorted(set(steps))
            assert steps[-1] == TRAIN["max_steps"]


def test_nothing_is_left_of_any_command(swept: tuple[Path, dict[str, str]]) -> None:
    """No lease, no heartbeat and no file that is not complete, also of the one that was killed."""
    folder, _ = swept
    names = [file.name for file in folder.rglob("*") if file.is_file()]
    assert not [name for name in names if name.startswith(("lease-", "driver-", "."))]
    assert os.listdir(folder / "heartbeats") == []
