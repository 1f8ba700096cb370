"""The real command as a process of its own, and what it left in MLflow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from mlflow import MlflowClient
from mlflow.entities import Run

ROOT = Path(__file__).parents[2]

Swept = tuple[Path, subprocess.CompletedProcess[str]]
"""A sweep's config file, whose folder is the storage, and how the command ended."""


def start(*words: str, storage: Path, output: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
    environment = {**os.environ, "SWEEP_STORAGE": str(storage), "COLUMNS": "120"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    environment.pop("RAY_ADDRESS", None)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "sweep" / "run.py"), *words],
        env=environment,
        cwd=storage,
        stdout=output,
        stderr=output,
        text=True,
        # As at a terminal: what a shell puts into the background starts with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def command(*words: str, storage: Path) -> subprocess.CompletedProcess[str]:
    process = start(*words, storage=storage)
    try:
        shown, errors = process.communicate(timeout=600)
    finally:
        process.kill()
    return subprocess.CompletedProcess(words, process.returncode, shown, errors)


def runs(storage: Path, experiment: str, kind: str) -> list[Run]:
    """The runs of one kind: the sweep, its teachers, its cells."""
    client = MlflowClient(tracking_uri=f"sqlite:///{storage}/mlflow.db")
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id], f"tags.kind = '{kind}'"))


def cell_runs(storage: Path, experiment: str) -> list[Run]:
    return runs(storage, experiment, "cell")
