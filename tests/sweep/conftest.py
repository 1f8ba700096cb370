"""One MLflow database for all tests of the engine, with an experiment for each test; one sweep of all families."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.tracking.tracking import Tracking
from tests.sweep.commands import Swept, command
from tests.sweep.heads import checkout, head  # noqa: F401  (fixtures)
from tests.sweep.tiny import TASK_OF, TASKS, small


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlflow")
    file = folder / "mlflow.db"
    Tracking(f"sqlite:///{file}", "made", str(folder / "artifacts")).open_sweep({}, "", {})
    return file


@pytest.fixture
def tracking(database: Path) -> Tracking:
    return Tracking(f"sqlite:///{database}", uuid4().hex, str(database.parent / "artifacts"))


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(Storage(str(tmp_path / "runs")))


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """Two cells of each family through the real command; a test may run the same command again, and no other.

    Each model is evaluated once, after its last step. Teachers are trained until some of their words are right.
    """
    storage = tmp_path_factory.mktemp("storage")
    once = {"evaluate_every": 1000}
    made = {"max_steps": 40, "warmup_steps": 5, **once}
    given = {
        "name": "tiny",
        # In fp32 on every machine: its numbers are computed again to 1e-5.
        "base": {"train": {"max_steps": 3, "batch_size": 8, "learning_rate": 1e-3, **once}, "dtype": "fp32"},
        "axes": {"strategy": ["forward", "random"]},
        "grids": [
            {"base": {"model": small(f"tiny-{family}", **made), "task": TASKS[task]}}
            for family, task in TASK_OF.items()
        ],
        "keep": "all",
    }
    config = storage / "tiny.yaml"
    config.write_text(json.dumps(given))
    return config, command(str(config), storage=storage)


@pytest.fixture
def only_given_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor the hub supplies what a config leaves out."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
