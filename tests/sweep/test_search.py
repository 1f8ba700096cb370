"""A search with Ray and MLflow whose command is killed in its second round ends in the studies of a calm one."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest

from sweep.grid.cells import Cell
from sweep.plan import checks
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.search.groups import groups
from sweep.search.study import Candidate, Study
from tests.sweep.commands import cell_runs, command, runs, start
from tests.sweep.tiny import base
from trainables import distill
from trainables.member import Member
from trainables.tasks import read

NAME, NUM_STEPS, NUM_CANDIDATES, NUM_THREADS = "tuned", 6, 4, 2
CONFIG: dict[str, Any] = {
    "name": NAME,
    "base": {**base("bert"), "train": {"max_steps": NUM_STEPS, "batch_size": 8}, "dtype": "fp32"},
    "axes": {"strategy": ["none", "forward"]},
    "search": {
        "fields": {
            "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "losses.hidden": {"choices": [1, 3]},
        },
        "candidates": NUM_CANDIDATES,
        "at_once": 2,
    },
    "resources": {"cpus": NUM_THREADS},
}
WAIT_SECONDS = 600


def stored(folder: Path) -> Sweep | None:
    return Sweep.read(Storage(str(folder)), f"sweeps/{NAME}/sweep.json")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of the search, after the same command has ended it."""
    folder = tmp_path_factory.mktemp("tuned")
    (config := folder / "tuned.yaml").write_text(json.dumps(CONFIG))
    first = start(str(config), storage=folder)
    try:
        end = time.monotonic() + WAIT_SECONDS
        while not (sweep := stored(folder)) or [study.num_told for study in sweep.studies] != [2, 2]:
            assert first.poll() is None, first.communicate()
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        first.kill()
        first.communicate()
    again = command(str(config), storage=folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "search: round 2 of 2: 4 candidates of 2 groups" in again.stdout
    assert "round 1" not in again.stdout
    return folder


def calm(cells: list[Cell], config: checks.SweepConfig, folder: Path, tmp_path: Path) -> list[Study]:
    """The studies of the search, computed in this process."""
    teacher = next((folder / "teachers").glob("*/attempts/*/model"))
    data = read(cells[0].config.task)

    def score(candidate: Candidate) -> float:
        (place := tmp_path / candidate.cell.fingerprint).mkdir(exist_ok=True)
        (outcome,) = distill.run(
            [Member(candidate.cell.config, place, lambda step, metrics: None)], data, teacher, NUM_THREADS
        )
        assert not isinstance(outcome, Exception)
        return outcome.metrics["best/accuracy"]

    assert config.search is not None
    studies = [Study(group, config.search) for group in groups(cells, config.search)]
    for study in studies:
        while study.advance(score):
            pass
    return studies


def test_the_studies_are_those_of_a_search_in_one_piece(tuned: Path, tmp_path: Path) -> None:
    checked = checks.prepare(tuned / "tuned.yaml", [f"storage={tuned}"])
    for study in calm(checked.cells, checked.config, tuned, tmp_path):
        url = f"sqlite:///{tuned}/sweeps/{NAME}/optuna.db"
        there = optuna.load_study(study_name=f"{NAME}/{study.group.label}", storage=url)
        assert [trial.value for trial in there.trials] == study.outcomes
        assert [trial.params for trial in there.trials] == [each.values for each in study.candidates]
        fingerprints = [trial.user_attrs["fingerprint"] for trial in there.trials]
        assert fingerprints == [each.cell.fingerprint for each in study.candidates]
        assert study.best is not None
        (chosen,) = study.group.chosen(study.best.values)
        assert Records(Storage(str(tuned))).cell(chosen.fingerprint).state() == "done"


def test_no_candidate_is_trained_twice_or_lost(tuned: Path) -> None:
    sweep, records = stored(tuned), Records(Storage(str(tuned)))
    assert sweep is not None
    candidates = [cell.fingerprint for study in sweep.studies for cell in study.cells]
    assert sorted(records.storage.list("cells")) == sorted({*candidates, *(cell.fingerprint for cell in sweep.cells)})
    for study in sweep.studies:
        assert (len(study.cells), study.num_told) == (NUM_CANDIDATES, NUM_CANDIDATES)
        assert [records.cell(cell.fingerprint).attempts() for cell in study.cells[:2]] == [[1], [1]]
    assert {cell.config.seed for cell in sweep.cells} == {0}
    students = [path.parts[-4] for path in tuned.glob("cells/*/attempts/*/student")]
    assert len(students) == 1
    assert students[0] in {cell.fingerprint for cell in sweep.cells}


def test_candidates_are_runs_of_their_own_kind(tuned: Path) -> None:
    candidates = runs(tuned, NAME, "candidate")
    assert Counter(run.info.status for run in candidates) == {"FINISHED": 2 * NUM_CANDIDATES}
    names = {f"tiny-bert · {strategy} · teacher · candidate {n}" for strategy in ("none", "forward") for n in range(4)}
    assert {run.info.run_name for run in candidates} == names
    assert {run.data.tags["seed"] for run in candidates} == {"1000"}
    assert sorted(run.data.tags["strategy"] for run in cell_runs(tuned, NAME)) == ["forward", "none"]


def test_the_report_has_the_search_apart_from_the_results(tuned: Path) -> None:
    folder = tuned / "sweeps" / NAME
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [(row["kind"], row["strategy"]) for row in rows] == [("teacher", ""), ("cell", "none"), ("cell", "forward")]
    tried = list(csv.DictReader((folder / "candidates.csv").open()))
    assert len(tried) == 2 * NUM_CANDIDATES
    assert {row["steps"] for row in tried} == {str(NUM_STEPS)}
    chosen = [row["train.learning_rate"] for row in tried if row["chosen"] == "True"]
    assert chosen == [row["train.learning_rate"] for row in rows[1:]]
    page = (folder / "report.html").read_text()
    assert f"Each group spent {NUM_CANDIDATES * NUM_STEPS} optimiser steps on {NUM_CANDIDATES} candidates." in page


def test_the_same_command_again_computes_nothing(tuned: Path) -> None:
    again = command(str(tuned / "tuned.yaml"), storage=tuned)
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, "nothing to run: teachers: 1 done; cells: 2 done")
