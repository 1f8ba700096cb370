"""The verb that serves optuna-dashboard: what it starts, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.verbs import dashboard
from tests.sweep.own_data import write_config

SEARCH = {"fields": {"train.learning_rate": {"low": 1e-5, "high": 1e-3}}}


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    return tmp_path / "runs"


def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words of each server that would be started."""
    words: list[list[str]] = []
    monkeypatch.setattr(dashboard, "find_spec", lambda _: True)
    monkeypatch.setattr("os.execv", lambda _, arguments: words.append(arguments[3:]) or 0)
    return words


def test_it_serves_the_studies_of_the_sweep(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, path = started(monkeypatch), write_config(tmp_path, search=SEARCH)
    (runs / "sweeps" / "own").mkdir(parents=True)
    (runs / "sweeps" / "own" / "optuna.db").touch()
    dashboard.main([str(path), "--port", "8123"])
    dashboard.main([str(path), "search.studies=postgresql://me:secret@host/x"])
    end = ["--host", "127.0.0.1", "--port"]
    assert words == [
        [f"sqlite:///{runs}/sweeps/own/optuna.db", *end, "8123"],
        ["postgresql://me:secret@host/x", *end, "8080"],
    ]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("search=null", "search: got null, so that own has no studies; give a sweep with a search"),
        ("storage=s3://me:secret@bucket/x",
         "search.studies: got null beside the storage 's3://me:***@bucket/x', where no studies are written; give the "
         "URL of a storage"),
        ("name=own", "search.studies: got a sweep without studies: RUNS/sweeps/own/optuna.db does not exist yet; run "
         "the sweep first"),
    ],
)  # fmt: skip
def test_a_sweep_without_studies_is_refused(
    tmp_path: Path, runs: Path, override: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dashboard.main([str(write_config(tmp_path, search=SEARCH)), override]) == 2
    assert capsys.readouterr().err.replace(str(runs), "RUNS") == f"{line}\n"


def test_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dashboard, "find_spec", lambda _: None)
    path = write_config(tmp_path, search=SEARCH)
    assert dashboard.main([str(path), "search.studies=postgresql://host/x"]) == 2
    assert capsys.readouterr().err == (
        "search.studies: got a sweep with studies, and no optuna-dashboard; "
        "pip install 'distillation-sweep[dashboard]'\n"
    )
