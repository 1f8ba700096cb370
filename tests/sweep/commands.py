"""The real command as a process of its own, the models and tasks it is given, and what it left in MLflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from tests.sweep.tiny import FEW
from trainables.builtin import MODELS

ROOT = Path(__file__).parents[2]
TASKS = {
    "natural-logic": {
        "name": "natural-logic",
        "kind": "classification",
        "generated": {"generator": "natural_logic", **FEW},
        "text": ["premise", "hypothesis"],
        "max_length": 16,
    },
    "localisation": {
        "name": "localisation",
        "kind": "generation",
        "generated": {"generator": "localisation", **FEW},
        "max_length": 24,
        "max_new_tokens": 8,
    },
}
TASK_OF = {"bert": "natural-logic", "bart": "localisation", "t5": "localisation", "qwen3": "localisation"}

Swept = tuple[Path, subprocess.CompletedProcess[str]]
"""A sweep's config file, whose folder is the storage, and how the command ended."""


def start(*words: str, storage: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "SWEEP_STORAGE": str(storage), "COLUMNS": "120"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    environment.pop("RAY_ADDRESS", None)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "sweep" / "run.py"), *words],
        env=environment,
        cwd=storage,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(*words: str, storage: Path) -> subprocess.CompletedProcess[str]:
    process = start(*words, storage=storage)
    try:
        shown, errors = process.communicate(timeout=280)
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


def small(name: str, **finetune: object) -> dict[str, object]:
    """A built-in model whose teacher is trained for two steps, or as `finetune` says."""
    model = MODELS[name]
    return {**model, "finetune": {**model["finetune"], "max_steps": 2, **finetune}}
