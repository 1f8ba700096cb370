"""Nothing is deleted, pruned or forgotten that a running sweep needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.records.heartbeats import Holder
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.run import main
from sweep.tracking.tracking import Tracking
from sweep.verbs import delete, prune
from tests.sweep.own_data import write_all
from tests.sweep.students.test_keep import archive, finish
from tests.sweep.tracked import make_cell, spec

SCORES = {"a": 0.5, "b": 0.9, "abc": 0.7, "abd": 0.6}


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    """Sweep `one` has the cell a, `two` has a and b; two cells are of no sweep."""
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    records = Records(Storage(str(tmp_path / "runs")))
    cells = finish(records, SCORES)
    archive(records.storage, "one", [cells["a"]])
    archive(records.storage, "two", [cells["a"], cells["b"]])
    return records


def at_work(records: Records, kind: str, sweep: str, *cells: str, since: int = 0) -> Holder:
    """A driver or a trial of this process."""
    holder = Holder(records.storage, "driver" if kind == "driver" else "trial", sweep)
    holder.facts = holder.facts.model_copy(update={"since": since})
    holder.steps = dict.fromkeys(cells, (1, None))
    return holder


def test_a_running_sweep_is_not_deleted_and_others_are(records: Records, capsys: pytest.CaptureFixture[str]) -> None:
    with at_work(records, "driver", "one").beating():
        assert delete.main(["one", "--yes"]) == 2
        assert capsys.readouterr().err.endswith(" is running and would lose its files; wait for its end, or stop it\n")
        assert delete.main(["two", "--yes"]) == 0  # of the cells, only b is its own
    assert records.storage.list("sweeps") == ["one"]
    assert records.storage.list("cells") == ["a", "abc", "abd"]
    assert delete.main(["one", "--yes"]) == 0


@pytest.mark.parametrize(
    ("kind", "sweep", "cells", "since", "reason"),
    [
        ("trial", "new", ["abc"], 0, "needs cells/abc"),
        ("trial", "new", ["a"], 0, None),
        ("driver", "new", [], 0, "has only begun, so that nothing tells yet what it needs"),
        ("driver", "one", [], 0, None),
        ("driver", "one", [], 2_000_000_000_000, "has only begun, so that nothing tells yet what it needs"),
    ],
)
def test_nothing_is_pruned_that_a_running_sweep_needs(
    records: Records,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    sweep: str,
    cells: list[str],
    since: int,
    reason: str | None,
) -> None:
    holder = at_work(records, kind, sweep, *cells, since=since)
    with holder.beating():
        assert prune.main(["--yes"]) == (2 if reason else 0)
    if reason:
        message = f"storage: {holder.facts} is running and {reason}; wait for its end, or stop it\n"
        assert capsys.readouterr().err == message
    assert ("abc" in records.storage.list("cells")) == bool(reason)


@pytest.fixture
def config(records: Records, tmp_path: Path, tracking: Tracking) -> str:
    """A config whose MLflow has runs of the cell b in two sweeps, and one of another cell."""
    for name in ("own", "other"):
        sweep = Tracking(tracking.uri, f"{tracking.experiment}-{name}", tracking.artifacts)
        parent = sweep.open_sweep({}, "", {})
        for cell in ("b", "abc"):
            sweep.fill(spec(parent, make_cell(cell)), records.cell(cell))
    return str(write_all(tmp_path, name=f"{tracking.experiment}-own", tracking_uri=tracking.uri))


def test_a_cell_is_forgotten_with_its_runs(
    config: str, records: Records, tracking: Tracking, capsys: pytest.CaptureFixture[str]
) -> None:
    with at_work(records, "trial", "two", "b").beating():
        assert main([config, "--forget", "b", "--yes"]) == 2
    assert " computes this cell now; wait for its end, or stop it\n" in capsys.readouterr().err
    assert (len(tracking.runs_of_cell("b")), len(tracking.runs_of_cell("abc"))) == (2, 2)
    assert main([config, "--forget", "b", "--yes"]) == 0
    assert capsys.readouterr().out == "Deleted: cells/b (done) and 2 runs of it in MLflow.\n"
    assert (len(tracking.runs_of_cell("b")), len(tracking.runs_of_cell("abc"))) == (0, 2)
    assert records.storage.list("cells") == ["a", "abc", "abd"]


@pytest.mark.parametrize(
    ("beginning", "reason"),
    [
        ("ab", "several cells begin so: abc, abd; give more of the fingerprint"),
        ("x", "no cell of the storage has a fingerprint that begins so; results.csv has them all"),
        ("", "no cell of the storage has a fingerprint that begins so; results.csv has them all"),
    ],
)
def test_a_beginning_names_one_cell(
    records: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str], beginning: str, reason: str
) -> None:
    assert main([str(write_all(tmp_path)), "--forget", beginning, "--yes"]) == 2
    assert capsys.readouterr().err == f"--forget: got {beginning!r}; {reason}\n"


def test_a_cell_is_forgotten_after_a_question(
    config: str, records: Records, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert main([config, "--forget", "abd"]) == 0
    assert capsys.readouterr().out == "Nothing is deleted.\n"
    assert records.cell("abd").result()
