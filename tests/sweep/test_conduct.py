"""A plan carried out, as far as it goes without Ray."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from rich.console import Console

from sweep import checks, command, conduct
from sweep.plan import Plan
from sweep.records import Records
from sweep.storage import Storage
from tests.sweep.own_data import write_all
from tests.sweep.tracked import make_result, make_rows

SECRET = "profiles.there.tracking_uri=http://me:pa55w0rd@host"


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[checks.Checked, Plan]:
    """A sweep of two cells and a teacher, of which nothing is there yet."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    checked = checks.prepare(write_all(tmp_path, axes={"strategy": ["none", "forward"]}))
    return checked, Plan.of(checked, Records(Storage(checked.config.storage_url)))


def finish(plan: Plan, records: Records) -> None:
    """Writes the records, as trials would have left them."""
    for key in plan.teachers:
        records.teacher(key).close({"path": "x", "metrics": {"test/accuracy": 0.9}, "main_metric": "accuracy"})
    for key in plan.cells:
        attempt = records.cell(key).begin({"host": "here"})
        attempt.journal.write(make_rows(1, 3))
        attempt.commit(make_result(attempt))


def test_a_sweep_that_is_done_needs_neither_ray_nor_torch(planned: tuple[checks.Checked, Plan], tmp_path: Path) -> None:
    finish(planned[1], Records(Storage(planned[0].config.storage_url)))
    code = (
        f"import sys; from sweep.run import main; code = main([{str(tmp_path / 'sweep.yaml')!r}, {SECRET!r}]); "
        "print(code, [name for name in ('torch', 'transformers', 'ray', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "0 []", done.stdout + done.stderr
    assert done.stderr == ""
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/runs/mlflow.db")
    found = client.get_experiment_by_name("own")
    assert found is not None
    assert len(client.search_runs([found.experiment_id])) == 4
    # The password of the command stands in no file, neither in the report nor in an artifact of MLflow.
    stored = {file: file.read_bytes() for file in (tmp_path / "runs").rglob("*") if file.is_file()}
    assert [file.name for file, content in stored.items() if b"pa55w0rd" in content] == []
    hiding = {file.name for file, content in stored.items() if b"http://me:***@host" in content}
    assert {"config.json", "report.html", "sweep.json"} <= hiding


def test_the_machine_is_watched_while_cells_are_made(
    planned: tuple[checks.Checked, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    monkeypatch.setattr("sweep.work.connected", lambda config, address: nullcontext())
    seen: list[set[str]] = []

    def work(conductor: conduct.Conductor, *_: Any) -> None:
        client, deadline = MlflowClient(conductor.tracking.uri), time.monotonic() + 20
        while not client.get_run(conductor.parent).data.metrics and time.monotonic() < deadline:
            time.sleep(0.1)
        seen.append(set(client.get_run(conductor.parent).data.metrics))

    monkeypatch.setattr(conduct.Conductor, "_work", work)
    path = str(tmp_path / "sweep.yaml")
    assert conduct.run(*planned, command.parse([path]), [path], Console(quiet=True)) == 1
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= seen[0]
