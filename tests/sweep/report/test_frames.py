"""The results of a storage as pandas tables: the records' own numbers, in long form."""

from __future__ import annotations

import textwrap
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

import sweep
from sweep import load_angles, load_results
from sweep.grid.cells import Cell
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report import results
from tests.sweep.finished import BART, BERT, ENVIRONMENT, NUM_STUDENT, NUM_TEACHER, STEPS, finished_sweep
from tests.sweep.tracked import STARTED, begin, make_cell, make_rows
from trainables import angle_file
from trainables.errors import InputError


def store(storage: Storage, *cells: Cell, name: str = "own") -> None:
    """What a sweep that has begun leaves, whatever has become of its cells."""
    begun = {"command": "python sweep/run.py", "time": STARTED, "tracking_uri": "", "experiment_id": "", "runs": {}}
    Sweep(name=name, environment=ENVIRONMENT, cells=cells, **begun).store(storage)


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "runs") if request.param == "folder" else f"memory://{uuid4().hex}")


def test_results_are_those_of_the_records(storage: Storage) -> None:
    made = finished_sweep(storage, {"tiny-bert": BERT, "tiny-bart": BART}, inits=["random"])
    made.store(storage)
    frame = load_results(storage.url, "demo")
    rows = results.rows(Records(storage), made.cells)
    assert len(frame) == len(rows) == 12
    for (_, line), row in zip(frame.iterrows(), rows, strict=True):
        for column in ("kind", "model", "task", "strategy", "init", "status", "teacher", "fingerprint", "test"):
            assert line[column] == getattr(row, column)
        assert {key: line[key] for key in row.metrics} == row.metrics
    assert set(frame["sweep"]) == {"demo"}
    assert frame[frame.kind == "teacher"].seed.isna().all()
    assert set(frame[frame.kind == "cell"].seed) == {0}
    assert set(frame[frame.kind == "cell"].step) == {STEPS[-1]}


def test_a_sweep_that_still_runs_shows_how_far_it_is(storage: Storage) -> None:
    records, rates = Records(storage), {"going": 1e-3, "failed": 0.25, "new": 2.0}
    store(storage, *(make_cell(key, train={"learning_rate": rate}) for key, rate in rates.items()))
    going = begin(records.cell("going"))
    going.journal.write(make_rows(1, 3))
    going.journal.write(make_rows(4, 7))
    begin(records.cell("failed")).fail("not finite", "", by_itself=True)
    frame = load_results(storage.url).set_index("fingerprint")
    assert list(frame.kind) == ["teacher", "cell", "cell", "cell"]
    assert dict(frame.status[1:]) == {"going": "missing", "failed": "failed", "new": "missing"}
    assert frame.reason["failed"] == "not finite"
    assert frame.step["going"] == 7
    assert frame.measured["going"] == pd.Timestamp(STARTED + 7, unit="ms", tz="UTC")
    assert frame.step.isna().sum() == frame.measured.isna().sum() == 3
    assert frame["train.learning_rate"][1:].to_dict() == rates  # numbers, not their text
    assert load_angles(storage.url).empty


def test_angles_are_those_of_the_file(storage: Storage) -> None:
    made = finished_sweep(storage, {"tiny-bart": BART}, inits=["random"])
    made.store(storage)
    frame = load_angles(storage.url, "demo")
    num_pairs = (NUM_TEACHER + 1) * NUM_TEACHER // 2
    num_steps = frame.step.nunique()
    assert len(frame) == len(made.cells) * 2 * num_steps * (NUM_STUDENT + 1) * num_pairs
    assert (frame.teacher_state_i < frame.teacher_state_k).all()
    cell = made.cells[1].fingerprint
    path = Records(storage).cell(cell).path("angles.npz")
    assert path is not None
    for stack, angles in angle_file.read(path).items():
        own = frame[(frame.fingerprint == cell) & (frame.stack == stack)]
        place = (np.searchsorted(angles.step, own.step), own.student_state, own.teacher_state_i, own.teacher_state_k)
        for statistic in ("cos_mean", "acute_share", "count"):
            np.testing.assert_array_equal(own[statistic], getattr(angles, statistic)[place])
    one = load_angles(storage.url, fingerprint=cell[:12])
    pd.testing.assert_frame_equal(one, frame[frame.fingerprint == cell].reset_index(drop=True))


def test_without_a_name_all_sweeps_are_there(storage: Storage) -> None:
    store(storage, make_cell("one"), name="first")
    store(storage, make_cell("two"), name="second")
    assert list(load_results(storage.url)["sweep"]) == ["first", "first", "second", "second"]
    assert list(load_results(storage.url, "second").fingerprint) == ["", "two"]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    for load in (load_results, load_angles):
        with pytest.raises(InputError, match=rf"^storage: got '{tmp_path}/none', which holds no sweep; "):
            load(tmp_path / "none")
        with pytest.raises(InputError, match=r"^storage: got '.*', which holds no sweep; "):
            load(tmp_path / "none", "demo")
    store(Storage(str(tmp_path)), make_cell())
    with pytest.raises(InputError, match=r"^name: got 'a/b'; expected one of own$"):
        load_angles(tmp_path, "a/b")
    with pytest.raises(InputError, match=r"^fingerprint: got 'c0'; no cell of the storage begins with it$"):
        load_angles(tmp_path, fingerprint="c0")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = Storage("runs")
    finished_sweep(runs, {"tiny-bart": BART}).store(runs)
    for load, groups in ((load_results, 10), (load_angles, 10)):
        assert load.__doc__ is not None
        code = textwrap.dedent(load.__doc__[load.__doc__.index("        from sweep") :])
        *statements, last = code.strip().splitlines()
        names: dict[str, object] = {}
        exec("\n".join(statements), names)
        answer = eval(last, names)
        assert isinstance(answer, pd.Series | pd.DataFrame)
        assert len(answer) == groups
        assert answer.notna().to_numpy().all()


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match=r"^module 'sweep' has no attribute 'load_everything'$"):
        sweep.load_everything  # noqa: B018
