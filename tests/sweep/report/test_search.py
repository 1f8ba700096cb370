"""What the report says of a search: tried, chosen and spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.records.archive import ArchivedStudy, Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report import search
from sweep.report.frames import load_results
from sweep.report.page import page
from sweep.report.report import Report
from tests.sweep.finished import BERT, finished_sweep
from tests.sweep.tracked import begin, make_cell, make_result, make_rows

SEARCHED = ("train.learning_rate", "losses.distance")
SETTINGS = [(1e-3, "mse"), (1e-4, "cosine"), (1e-5, "mse")]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path))


def study(records: Records, group: str, scores: list[float | None], chosen: int | None = None) -> ArchivedStudy:
    """A study whose candidates have these scores; None failed at step 3."""
    cells = [
        make_cell(f"{ord(group[0]):x}{number}", train={"learning_rate": rate}, losses={"distance": distance})
        for number, (rate, distance) in enumerate(SETTINGS)
    ]
    for cell, value in zip(cells, scores, strict=False):
        attempt = begin(records.cell(cell.fingerprint))
        attempt.journal.write(make_rows(1, 3))
        if value is None:
            attempt.fail("loss nan", "", by_itself=True)
        else:
            attempt.commit(make_result(attempt, metrics={"best/accuracy": value, "test/accuracy": 0.9}))
    return ArchivedStudy(group=group, cells=tuple(cells), num_told=len(scores), chosen=chosen)


def with_search(storage: Storage, *studies: ArchivedStudy) -> Sweep:
    sweep = finished_sweep(storage, {"bert": BERT})
    return sweep.model_copy(update={"searched": SEARCHED, "studies": studies})


def test_each_candidate_has_a_line(storage: Storage) -> None:
    records = Records(storage)
    told = search.of_sweep(with_search(storage, study(records, "none", [0.25, 0.75, None], chosen=1)), records)
    assert told is not None
    assert search.candidates_csv(told).decode().splitlines() == [
        "group,candidate,train.learning_rate,losses.distance,score,metric,status,steps,chosen,fingerprint",
        "none,0,0.001,mse,0.25,accuracy,done,20,False,6e0",
        "none,1,0.0001,cosine,0.75,accuracy,done,20,True,6e1",
        "none,2,1e-05,mse,,,failed,3,False,6e2",
    ]
    (group,) = told.groups
    assert group.chosen == group.candidates[1]
    assert (group.num_ended, group.steps) == (3, 43)
    assert told.text(group.candidates[1]) == "lr=1e-4 · distance=cosine"


def test_the_importance_of_the_fields_is_averaged_over_the_groups(storage: Storage) -> None:
    records, shares = Records(storage), ((0.5, 0.5), (0.25, 0.75), ())
    studies = [
        study(records, name, []).model_copy(update={"importance": dict(zip(SEARCHED, each, strict=False))})
        for name, each in zip(("none", "forward", "reverse"), shares, strict=True)
    ]
    sweep = with_search(storage, *studies)
    told = search.of_sweep(sweep, records)
    assert told is not None
    assert told.importance == {"losses.distance": 0.625, "train.learning_rate": 0.375}
    assert told.importance_text == (
        "What makes a setting good: distance 62%, lr 38% (PED-ANOVA, mean over the groups)."
    )
    unknown = search.of_sweep(sweep.model_copy(update={"studies": (studies[2],)}), records)
    assert unknown is not None
    assert (unknown.importance, unknown.importance_text) == ({}, "")


def test_equal_budgets_are_said_and_unequal_ones_too(storage: Storage) -> None:
    records = Records(storage)
    none, forward = (study(records, name, [0.25, 0.75, 0.5], chosen=1) for name in ("none", "forward"))
    sweep = with_search(storage, none, forward)
    same = search.of_sweep(sweep, records)
    assert same is not None
    assert same.budget == "Each group spent 60 optimiser steps on 3 candidates."
    unequal = (none, study(records, "reverse", [0.25, None]))
    other = search.of_sweep(sweep.model_copy(update={"studies": unequal}), records)
    assert other is not None
    assert other.budget.startswith("The groups spent from 23 to 60 optimiser steps: ")
    assert other.groups[1].chosen is None


def test_a_shared_search_is_said(storage: Storage) -> None:
    records = Records(storage)
    sweep = with_search(storage, study(records, "none", [0.25, 0.75, 0.5], chosen=1))
    own, shared = (sweep.model_copy(update={"shared": names}) for names in ((), ("init teacher",)))
    told = [search.of_sweep(each, records) for each in (own, shared)]
    assert [each.sharing for each in told if each] == [
        "",
        "It ran with init teacher alone, and its choice holds for every other value too.",
    ]


def test_searched_fields_are_no_axes(storage: Storage) -> None:
    """The cells of one section differ in what their groups have chosen; the table has these values."""
    sweep = finished_sweep(storage, {"bert": BERT}, rates=(1e-3, 1e-4), inits=("teacher",))
    assert [section.axes for section in Report.of(storage, sweep).sections] == [{"lr": "1e-3"}, {"lr": "1e-4"}]
    searched = sweep.model_copy(update={"searched": ("train.learning_rate",)})
    report = Report.of(storage, searched)
    assert [section.title for section in report.sections] == ["bert on natural-logic"]
    assert {row.words for row in report.cells} >= {"forward · teacher"}
    assert {row.searched["train.learning_rate"] for row in report.cells} == {"0.001", "0.0001"}
    searched.store(storage)
    frame = load_results(storage.url, "demo")
    assert set(frame[frame.kind == "cell"]["train.learning_rate"]) == {1e-3, 1e-4}


def test_the_page_has_the_search_escaped(storage: Storage) -> None:
    records = Records(storage)
    sweep = with_search(storage, study(records, "none <b>", [0.25, 0.75, 0.5], chosen=1))
    html = page(Report.of(storage, sweep.model_copy(update={"cells": sweep.cells[:1]})))
    assert "<h2>Search</h2>" in html
    assert "<th>none &lt;b&gt;</th><td>lr=1e-4 · distance=cosine</td>" in html
