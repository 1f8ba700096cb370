"""One tidy row per teacher and per cell, whatever became of it."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.grid.cells import Cell
from sweep.records.records import Records
from sweep.report.results import ResultRow, permutation_note, rows, share, write_csv
from tests.sweep.tracked import begin, finish_teacher, make_cell, make_result


def finish(records: Records, cell: Cell, **facts: Any) -> None:
    metrics = {"best/accuracy": 0.75, "test/accuracy": 0.5, "angle/encoder/cos_mean": 0.25, "seconds/total": 12.5}
    mapping = {"encoder": {0: 0, 1: 8, 2: 4, 3: 12}}
    attempt = begin(records.cell(cell.fingerprint))
    attempt.commit(make_result(attempt, metrics=metrics, mapping=mapping, computed_by="s@h", **facts))


def measure_teacher(records: Records) -> None:
    finish_teacher(records.teacher("7eac4e4"), {"best/accuracy": 0.875, "test/accuracy": 0.75}, chance=0.25)


def test_a_row_for_every_cell_and_teacher(records: Records) -> None:
    cells = [make_cell(name, seed=seed) for seed, name in enumerate(("done", "failed", "elsewhere", "cut off", "new"))]
    measure_teacher(records)
    finish(records, cells[0])
    begin(records.cell("failed")).fail("loss not finite", "", by_itself=True)
    begin(records.cell("elsewhere")).fail("disk full", "", by_itself=False)
    begin(records.cell("cut off"))
    table = rows(records, cells)
    assert [(row.kind, row.seed, row.status, row.reason) for row in table] == [
        ("teacher", None, "done", ""),
        ("cell", 0, "done", ""),
        ("cell", 1, "failed", "loss not finite"),
        ("cell", 2, "missing", "disk full"),
        ("cell", 3, "missing", ""),
        ("cell", 4, "missing", ""),
    ]


def test_what_a_row_says(records: Records) -> None:
    cell = make_cell(strategy="random", init="random", seed=3)
    measure_teacher(records)
    finish(records, cell)
    teacher, row = rows(records, [cell])
    assert row == ResultRow(
        kind="cell",
        label="bert · random · random · s3",
        words="random · random",
        model="bert",
        task="natural-logic",
        strategy="random",
        init="random",
        seed=3,
        axes={},
        status="done",
        reason="",
        main_metric="accuracy",
        best=0.75,
        test=0.5,
        teacher_test=0.75,
        chance=0.25,
        share_of_teacher=0.5,
        validation_share=0.8,
        metrics={
            "best/accuracy": 0.75,
            "test/accuracy": 0.5,
            "angle/encoder/cos_mean": 0.25,
            "seconds/total": 12.5,
        },
        mapping={"encoder": {0: 0, 1: 8, 2: 4, 3: 12}},
        mapping_note="encoder: permutation",
        signature="",
        seconds=12.5,
        computed_by="s@h",
        teacher="7eac4e4",
        fingerprint="c0ffee",
    )
    assert (teacher.kind, teacher.test, teacher.teacher_test, teacher.strategy, teacher.fingerprint) == (
        "teacher",
        0.75,
        0.75,
        "",
        "",
    )


def test_teachers_come_once_each_in_the_order_of_the_cells(records: Records) -> None:
    cells = [make_cell(name, teacher) for name, teacher in (("a", "t2"), ("b", "t1"), ("c", "t2"))]
    table = rows(records, cells)
    assert [row.teacher for row in table] == ["t2", "t1", "t2", "t1", "t2"]
    assert [row.kind for row in table] == ["teacher"] * 2 + ["cell"] * 3
    assert all(row.status == "missing" for row in table)


def test_only_drawn_mappings_have_a_note(records: Records) -> None:
    finish(records, make_cell())
    assert rows(records, [make_cell()])[1].mapping_note == ""


@pytest.mark.parametrize(
    ("drawn", "note"),
    [
        ({1: 4, 2: 8, 3: 12}, "identity"),
        ({0: 0, 1: 4, 2: 8, 3: 12}, "identity"),
        ({0: 0, 1: 12, 2: 8, 3: 4}, "reversal"),
        ({1: 8, 2: 4, 3: 12}, "permutation"),
        ({3: 12, 1: 4, 2: 8}, "identity"),
    ],
)
def test_permutation_notes(drawn: dict[int, int], note: str) -> None:
    assert permutation_note(drawn) == note


@given(chance=st.floats(0, 0.5), gap=st.floats(0.01, 0.5), part=st.floats(-1, 2))
def test_share_is_linear_from_chance_to_teacher(chance: float, gap: float, part: float) -> None:
    assert share(chance + part * gap, chance + gap, chance) == pytest.approx(part, abs=1e-12 / gap)


def test_share_where_there_is_no_way_to_go() -> None:
    assert share(0.5, 0.5, 0.5) is None
    assert share(None, 0.9, 0.5) is None
    assert share(0.5, None, 0.5) is None


def test_an_axis_without_effect_on_a_cell_is_none_of_its_own(records: Records) -> None:
    cells = [
        make_cell(strategy, strategy=strategy, losses={"hidden": hidden})
        for strategy, hidden in (("none", 1), ("forward", 1), ("reverse", 3))
    ]
    assert [row.axes for row in rows(records, cells)[1:]] == [{}, {"losses.hidden": "1.0"}, {"losses.hidden": "3.0"}]


def test_csv(records: Records) -> None:
    cells = [make_cell(f"{rate}", train={"learning_rate": rate}) for rate in (1e-4, 2e-4)]
    measure_teacher(records)
    finish(records, cells[0], signature="nrefs:1|case:mixed")
    table = [replace(row, notes=("one", "two")) if row.status == "missing" else row for row in rows(records, cells)]
    write_csv(table, records.storage, "sweeps/x/results.csv")
    data = records.storage.read("sweeps/x/results.csv")
    assert data is not None
    teacher, done, missing = csv.DictReader(io.StringIO(data.decode()))
    assert list(done)[:6] == ["kind", "model", "task", "strategy", "init", "seed"]
    assert list(done)[-5:] == [
        "train.learning_rate",
        "best/accuracy",
        "test/accuracy",
        "angle/encoder/cos_mean",
        "seconds/total",
    ]
    assert teacher["kind"] == "teacher"
    assert teacher["train.learning_rate"] == ""
    assert done["train.learning_rate"] == "0.0001"
    assert done["mapping"] == "encoder 0:0 1:8 2:4 3:12"
    assert (done["test"], done["share_of_teacher"], done["signature"]) == ("0.5", "0.5", "nrefs:1|case:mixed")
    assert (missing["status"], missing["test"]) == ("missing", "")
    assert (missing["note"], done["note"]) == ("one; two", "")
