"""Where the runs of a sweep are."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from sweep import ui
from sweep.records.storage import Storage
from sweep.report.address import where_the_runs_are
from tests.sweep.finished import BERT, finished_sweep


@pytest.mark.parametrize("folder", ["runs", "other runs"])
def test_the_call_opens_these_runs(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the storage is, and whatever the environment says elsewhere."""
    uri = f"sqlite:///{tmp_path}/{folder}/mlflow.db"
    sweep = finished_sweep(Storage(f"memory://{uuid4().hex}"), {"tiny-bert": BERT}).model_copy(
        update={"tracking_uri": uri}
    )
    (line,) = where_the_runs_are(sweep)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere:5000")
    monkeypatch.setattr(ui, "missing_database", lambda uri: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    served: list[tuple[str, str]] = []
    monkeypatch.setattr(ui, "serve", lambda *words: served.append(words) or 0)
    python, module, name, *words = shlex.split(line, comments=True)
    assert (python in ("python", sys.executable), module, name) == (True, "-m", "sweep.ui")
    assert ui.main(words) == 0
    assert served == [(uri, "demo")]


def test_a_server_has_an_address_and_what_is_not_tracked_has_none() -> None:
    sweep = finished_sweep(Storage(f"memory://{uuid4().hex}"), {"tiny-bert": BERT})
    runs = "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning"
    assert where_the_runs_are(sweep) == [f"MLflow has the runs: {runs}"]
    assert where_the_runs_are(sweep.model_copy(update={"experiment_id": ""})) == []
