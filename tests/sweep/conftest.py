"""One MLflow database for all tests of the engine; a test has an experiment of its own in it."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from sweep.records import Records
from sweep.storage import Storage
from sweep.tracking import Tracking


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
