"""A search carried out as far as it goes without Ray: its candidates have ended, well or badly."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient
from rich.console import Console

from sweep import conduct
from sweep.plan import checks
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.search.studies import Studies
from sweep.spec import command
from tests.sweep.own_data import write_all
from tests.sweep.tracked import begin, finish_teacher, make_result, make_rows
from trainables.errors import InputError

SEARCH = {
    "fields": {"train.learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}},
    "candidates": 4,
    "at_once": 2,
}


class Searched:
    """A sweep of two groups and two seeds, whose records are written here as trials would leave them."""

    def __init__(self, folder: Path, **search: Any) -> None:
        axes = {"strategy": ["none", "forward"], "seed": [0, 1]}
        self.folder = folder
        self.path = write_all(folder, axes=axes, search={**SEARCH, **search})
        self.checked = checks.prepare(self.path)
        self.records = Records(Storage(self.checked.config.storage_url))

    @property
    def studies(self) -> Studies:
        assert self.checked.config.search is not None
        return Studies.of(self.checked.config.search, self.checked.cells, self.records)

    def end(self, fingerprint: str, score: float | None, *, has_student: bool = False) -> None:
        attempt = begin(self.records.cell(fingerprint))
        attempt.journal.write(make_rows(1, 3))
        if score is None:
            attempt.fail("loss nan", "a message", by_itself=True)
        else:
            if has_student:
                (attempt.folder / "student").mkdir()
                (attempt.folder / "student" / "config.json").write_text("{}")
            attempt.commit(make_result(attempt, metrics={"best/accuracy": score, "test/accuracy": score}))

    def end_candidates(self, *, failing: bool = False) -> None:
        """The later a candidate, the better."""
        while waiting := self.studies.open_candidates:
            for each in waiting:
                self.end(each.cell.fingerprint, None if failing else each.number / 10, has_student=True)

    def run(self) -> tuple[int, str]:
        """The exit status, and what the command says."""
        console = Console(file=io.StringIO(), width=200)
        studies = self.studies
        arguments = [str(self.path)]
        status = conduct.run(*studies.plan(self.checked), command.parse(arguments), arguments, console, studies)
        assert isinstance(console.file, io.StringIO)
        return status, console.file.getvalue()

    def runs(self) -> list[tuple[str, str]]:
        """Kind and status of each run in MLflow."""
        client = MlflowClient(tracking_uri=f"sqlite:///{self.folder}/runs/mlflow.db")
        experiment = client.get_experiment_by_name("own")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        return sorted((run.data.tags["kind"], run.info.status) for run in runs)


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searched:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    searched = Searched(tmp_path)
    (teacher,) = searched.checked.teacher_sources
    finish_teacher(searched.records.teacher(teacher), {"best/accuracy": 0.9, "test/accuracy": 0.9})
    return searched


def test_a_search_that_is_done_is_reported_and_stored(searched: Searched) -> None:
    searched.end_candidates()
    for cell in searched.studies.chosen:
        searched.end(cell.fingerprint, 0.5)
    status, said = searched.run()
    assert (status, said.splitlines()[0]) == (0, "nothing to run: teachers: 1 done; cells: 4 done")
    assert searched.runs() == [
        *[("candidate", "FINISHED")] * 8,
        *[("cell", "FINISHED")] * 4,
        ("sweep", "FINISHED"),
        ("teacher", "FINISHED"),
    ]
    sweep = Sweep.read(searched.records.storage, "sweeps/own/sweep.json")
    assert sweep is not None
    assert [(study.group, study.num_told, study.chosen) for study in sweep.studies] == [
        ("own · none · teacher", 4, 3),
        ("own · forward · teacher", 4, 3),
    ]
    assert list(searched.folder.glob("runs/cells/*/attempts/*/student")) == []
    url = f"sqlite:///{searched.folder}/runs/sweeps/own/optuna.db"
    assert sorted(optuna.get_all_study_names(storage=url)) == [
        "own/own · forward · teacher",
        "own/own · none · teacher",
    ]
    page = (searched.folder / "runs" / "sweeps" / "own" / "report.html").read_text()
    assert "Each group spent 80 optimiser steps on 4 candidates." in page


def test_no_candidate_with_a_score_is_no_result(searched: Searched) -> None:
    searched.end_candidates(failing=True)
    status, said = searched.run()
    assert status == 1
    assert said.splitlines()[-1] == "No group has a chosen setting, so that there is no result to report."
    assert searched.runs() == [*[("candidate", "FAILED")] * 8, ("sweep", "FAILED"), ("teacher", "FINISHED")]


def test_a_study_of_another_search_stops_the_sweep_before_it_starts(tmp_path: Path, searched: Searched) -> None:
    searched.end_candidates(failing=True)
    searched.run()
    other = Searched(tmp_path, seed=7)
    with pytest.raises(InputError, match=r"^search\.studies: got .* of another search: seed 1000 there, 7 here\."):
        other.run()


def test_a_plan_counts_candidates(
    searched: Searched, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweep.run import main

    monkeypatch.setenv("COLUMNS", "200")
    for each in searched.studies.open_candidates:
        searched.end(each.cell.fingerprint, 0.5)
    assert main([str(searched.path), "--plan"]) == 0
    shown = capsys.readouterr().out
    assert "teachers: 1 done; cells: 4 after the search" in shown
    assert "2 groups with 4 candidates each in 2 rounds of 2, with tpe; 4 of 8 candidates have ended" in shown
