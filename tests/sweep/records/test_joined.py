"""The cells of all calls of a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.grid.cells import Cell
from sweep.records.archive import ArchivedStudy, Sweep
from sweep.records.joined import joined
from sweep.records.records import Records
from sweep.records.storage import Storage
from tests.sweep.finished import ENVIRONMENT
from tests.sweep.tracked import STARTED, begin, finish_record, make_cell


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path))


def a_call(storage: Storage, *cells: Cell, uri: str = "sqlite:///db", **runs: str) -> Sweep:
    """A call of the sweep, with what its report then reads."""
    begun = {"command": "python sweep/run.py", "time": STARTED, "tracking_uri": uri, "experiment_id": "1"}
    sweep = joined(Sweep(name="own", environment=ENVIRONMENT, cells=cells, runs=runs, **begun), storage)
    sweep.store(storage)
    return sweep


def names(sweep: Sweep) -> list[str]:
    return [cell.fingerprint for cell in sweep.cells]


RATES = {"a": 1e-4, "b": 2e-4, "c": 3e-4}
CELLS = {name: make_cell(name, train={"learning_rate": rate}) for name, rate in RATES.items()}


def test_a_narrower_call_keeps_the_cells_of_a_wider_one(storage: Storage) -> None:
    for name in CELLS:
        finish_record(Records(storage).cell(name))
    wide = a_call(storage, *CELLS.values(), a="run a", b="run b")
    assert (names(wide), wide.own) == (["a", "b", "c"], ("a", "b", "c"))
    narrow = a_call(storage, CELLS["b"], b="run b anew")
    assert (names(narrow), narrow.own) == (["a", "b", "c"], ("b",))
    assert narrow.runs == {"a": "run a", "b": "run b anew"}
    assert a_call(storage, CELLS["b"], uri="http://elsewhere").runs == {}


def test_a_wider_call_has_its_own_order(storage: Storage) -> None:
    for name in "ac":
        finish_record(Records(storage).cell(name))
    a_call(storage, CELLS["c"], CELLS["a"])
    assert names(a_call(storage, CELLS["a"], CELLS["b"])) == ["a", "b", "c"]


def test_what_has_come_to_no_end_is_left_out_and_a_failure_stays(storage: Storage) -> None:
    records = Records(storage)
    begin(records.cell("a")).fail("not finite", "", by_itself=True)
    begin(records.cell("b"))
    a_call(storage, CELLS["a"], CELLS["b"])
    assert names(a_call(storage, CELLS["c"])) == ["c", "a"]


def test_a_cell_that_was_made_anew_replaces_the_old_one(storage: Storage) -> None:
    """Other data, or another program, gives the same config another fingerprint."""
    for name in "ab":
        finish_record(Records(storage).cell(name))
    a_call(storage, CELLS["a"], CELLS["b"])
    assert names(a_call(storage, make_cell("new", train={"learning_rate": RATES["a"]}))) == ["new", "b"]


def test_a_file_that_cannot_be_read_is_no_reason_to_stop(storage: Storage) -> None:
    storage.write("sweeps/own/sweep.json", b'{"version": 99}')
    assert names(a_call(storage, CELLS["a"])) == ["a"]


def study(group: str, *cells: Cell) -> ArchivedStudy:
    return ArchivedStudy(group=group, cells=cells, num_told=len(cells))


def searched_call(storage: Storage, cell: Cell, *studies: ArchivedStudy) -> Sweep:
    begun = {"command": "", "time": STARTED, "tracking_uri": "", "experiment_id": "1", "runs": {}}
    fields = {"searched": ("train.learning_rate",), "studies": studies, "cells": (cell,)}
    sweep = joined(Sweep(name="own", environment=ENVIRONMENT, **fields, **begun), storage)
    sweep.store(storage)
    return sweep


def test_another_choice_of_a_search_replaces_the_cell_of_its_group(storage: Storage) -> None:
    other = make_cell("other", strategy="none")
    for name in ("a", "b", "other"):
        finish_record(Records(storage).cell(name))
    searched_call(storage, CELLS["a"], study("forward", CELLS["b"]))
    assert names(searched_call(storage, other)) == ["other", "a"]
    assert set(names(searched_call(storage, CELLS["b"]))) == {"b", "other"}


def test_studies_of_earlier_calls_stay(storage: Storage) -> None:
    searched_call(storage, CELLS["a"], study("forward", CELLS["a"]), study("none", CELLS["b"]))
    sweep = searched_call(storage, CELLS["a"], study("forward", CELLS["a"], CELLS["c"]))
    assert [(each.group, len(each.cells)) for each in sweep.studies] == [("forward", 2), ("none", 1)]
