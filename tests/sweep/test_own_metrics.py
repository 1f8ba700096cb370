"""A metric that a plug-in adds to a finished sweep is measured on the stored answers, and nothing is trained."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sweep import load_results
from sweep.plan import checks
from sweep.plan.states import Plan
from sweep.records import own_metrics
from sweep.records.records import Attempt, CellRecord, Record, Records
from sweep.records.storage import Storage
from sweep.records.stored import Result, TeacherResult
from sweep.run import main
from tests.sweep.own_data import write_all
from tests.sweep.tracked import begin, make_result, make_rows, shared
from trainables import plugins, predictions
from trainables.own_metrics import Metric

OWN = """
from trainables.own_metrics import Metric
from trainables.plugins import register
register(Metric("classification", ("of_no",), lambda predicted, _: {"of_no": FACTOR * predicted.count(0)}))
"""
MEASURED = "The metric of_no was measured on the stored answers of 2 cells and 1 teacher."


@pytest.fixture(autouse=True)
def _none_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    yield
    plugins.activate(())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A finished and reported sweep of two cells, whose students answer `no` to one row and to both."""
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    checked = checks.prepare(write_all(tmp_path, axes={"strategy": ["none", "forward"]}))
    records = Records(Storage(checked.config.storage_url))
    plan = Plan.of(checked, records)
    ends: list[tuple[Record, list[int]]] = [(records.teacher(key), [0, 1]) for key in plan.teacher_cells]
    ends += [(records.cell(key), [0, 0] if number else [0, 1]) for number, key in enumerate(plan.cells)]
    (data,) = checked.data.values()
    for record, predicted in ends:
        attempt = begin(record)
        attempt.journal.write(make_rows(1, 3))
        predictions.write(attempt.folder, "classification", data.tests, {"test": predicted}, data.classes)
        attempt.commit(result_of(attempt))
    assert run(tmp_path) == 0
    capsys.readouterr()
    return tmp_path


def result_of(attempt: Attempt) -> Result:
    if isinstance(attempt.record, CellRecord):
        return make_result(attempt)
    own = {"hash": attempt.record.identity, "metrics": {"test/accuracy": 0.9}, "path": "hub/id", "chance": 0.0}
    return TeacherResult(**shared(attempt), **own)


def run(folder: Path, *words: str) -> int:
    return main([str(folder / "sweep.yaml"), *words])


def with_metric(folder: Path, *words: str, factor: float = 1.0) -> int:
    (folder / "own.py").write_text(OWN.replace("FACTOR", str(factor)))
    return run(folder, f"plugins=[{folder}/own.py]", *words)


def column(folder: Path, name: str) -> list[str]:
    """A column of results.csv."""
    with (folder / "runs/sweeps/own/results.csv").open() as file:
        return [row[name] for row in csv.DictReader(file)]


def drawn(folder: Path, name: str) -> list[tuple[str, float]]:
    """Kind of run and value of a metric in MLflow."""
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/runs/mlflow.db")
    found = client.get_experiment_by_name("own")
    assert found is not None
    runs = client.search_runs([found.experiment_id])
    return sorted((each.data.tags["kind"], each.data.metrics[name]) for each in runs if name in each.data.metrics)


def test_a_metric_is_added_to_a_finished_sweep(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests = {file: file.read_bytes() for file in folder.rglob("result.json")}
    assert with_metric(folder, "--plan") == 0
    shown = capsys.readouterr().out
    assert "cells: 2 done" in shown
    assert f"{MEASURED.replace('was', 'is')} Nothing is trained for it." in shown
    assert "of_no" not in (folder / "runs/sweeps/own/results.csv").read_text()
    assert with_metric(folder) == 0
    shown = capsys.readouterr().out
    assert "nothing to run: teachers: 1 done; cells: 2 done" in shown
    assert MEASURED in shown
    assert column(folder, "test/of_no") == ["1.0", "1.0", "2.0"]
    report = (folder / "runs/sweeps/own/report.html").read_text()
    assert '<th class="n">test of_no</th>' in report
    assert "own · teacher · words: test of_no 1.000." in report
    assert drawn(folder, "test/of_no") == [("cell", 1.0), ("cell", 2.0), ("teacher", 1.0)]
    assert load_results(folder / "runs", "own")["test/of_no"].tolist() == [1.0, 1.0, 2.0]
    assert {file: file.read_bytes() for file in folder.rglob("result.json")} == manifests
    assert with_metric(folder) == 0
    assert "The metric" not in capsys.readouterr().out
    assert drawn(folder, "test/of_no") == [("cell", 1.0), ("cell", 2.0), ("teacher", 1.0)]


def test_an_edited_metric_takes_the_place_of_the_old_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert with_metric(folder) == 0
    assert with_metric(folder, factor=10.0) == 0
    assert capsys.readouterr().out.count(MEASURED) == 2
    assert column(folder, "test/of_no") == ["10.0", "10.0", "20.0"]
    assert drawn(folder, "test/of_no") == [("cell", 10.0), ("cell", 20.0), ("teacher", 10.0)]
    assert run(folder) == 0
    assert "of_no" not in (folder / "runs/sweeps/own/results.csv").read_text()


def test_what_was_cut_off_is_measured_later(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = own_metrics.write, list[str]()

    def cut(record: Record, result: Result, metric: Metric, values: dict[str, float]) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(record.identity)
        write(record, result, metric, values)

    monkeypatch.setattr(own_metrics, "write", cut)
    assert with_metric(folder) == 130
    monkeypatch.undo()
    monkeypatch.setenv("SWEEP_STORAGE", str(folder / "runs"))
    capsys.readouterr()
    assert with_metric(folder) == 0
    assert "The metric of_no was measured on the stored answers of 2 cells." in capsys.readouterr().out
    assert drawn(folder, "test/of_no") == [("cell", 1.0), ("cell", 2.0), ("teacher", 1.0)]


def test_a_cell_without_answers_is_not_trained_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = sorted((folder / "runs/cells").glob("*/attempts/1/predictions.jsonl"))[0]
    first.unlink()
    assert with_metric(folder, "--plan") == 0
    reason = f"neither its answers nor its model is stored; delete {first.parents[2]}, and the next run computes it"
    assert reason in capsys.readouterr().out
    assert with_metric(folder) == 0
    assert reason in capsys.readouterr().out
    assert sorted(column(folder, "test/of_no"))[0] == ""
