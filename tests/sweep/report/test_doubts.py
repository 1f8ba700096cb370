"""When a number means little, and what is said of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sweep.grid.cells import Cell
from sweep.records.journal import JournalRow
from sweep.records.records import Records
from sweep.report.cures import cures
from sweep.report.doubts import Doubtful, falls, find_doubts
from sweep.report.epochs import epochs
from sweep.report.results import rows
from tests.sweep.tracked import begin, finish_teacher, make_cell, make_result
from trainables.config import TrialConfig

FILES = {
    "name": "own",
    "kind": "classification",
    "files": {name: f"{name}.jsonl" for name in ("train", "validation", "test")},
    "text": ["sentence"],
}
FALLING = [1.0 - step / 40 for step in range(20)]
FLAT = [0.5] * 20


def config(**train: Any) -> TrialConfig:
    return make_cell(task=FILES, train=train).config


def journal(losses: list[float]) -> list[JournalRow]:
    return [
        {"step": 4 * number, "time": number, "metrics": {"train/loss": loss}} for number, loss in enumerate(losses, 1)
    ]


def finish(
    records: Records, cell: Cell, test: float = 0.6, losses: list[float] = FLAT, predictions: str = "ab"
) -> None:
    attempt = begin(records.cell(cell.fingerprint))
    attempt.journal.write(journal(losses))
    lines = [json.dumps({"split": "test", "row": row, "prediction": each}) for row, each in enumerate(predictions)]
    (attempt.folder / "predictions.jsonl").write_text("\n".join(lines))
    attempt.commit(make_result(attempt, metrics={"best/accuracy": test, "test/accuracy": test}))


def measure_teacher(records: Records, test: float = 0.9) -> None:
    finish_teacher(records.teacher("7eac4e4"), {"best/accuracy": test, "test/accuracy": test}, chance=0.5)


def doubtful(records: Records, *cells: Cell) -> list[Doubtful]:
    configs = {cell.fingerprint: cell.config for cell in cells}
    journals = {key: records.cell(key).journal() for key in configs}
    return find_doubts(rows(records, cells), configs, journals, records)


def sentences(records: Records, *cells: Cell) -> list[str]:
    return cures(doubtful(records, *cells), len(cells))


def a_cell(name: str = "a", **fields: Any) -> Cell:
    return make_cell(name, task=FILES, train={"max_steps": 80, "learning_rate": 1e-5}, **fields)


def test_a_number_that_means_what_it_says_has_no_doubt(records: Records) -> None:
    measure_teacher(records)
    finish(records, a_cell())
    assert doubtful(records, a_cell()) == []


def test_one_class_only(records: Records) -> None:
    measure_teacher(records)
    finish(records, a_cell(), test=0.5, predictions="aaa")
    finish(records, a_cell("b", strategy="none"), test=0.51, predictions="aab")
    assert sentences(records, a_cell(), a_cell("b", strategy="none")) == [
        "1 of 2 students (forward · teacher) gives every row the same class: "
        "train longer (80 steps are at most 1 epoch), or raise train.learning_rate (here 1e-5)."
    ]


def test_a_teacher_at_chance(records: Records) -> None:
    measure_teacher(records, test=0.5)
    finish(records, a_cell())
    assert sentences(records, a_cell()) == [
        "The teacher of bert on own scores 0.500, and guessing 0.500; "
        "no student can learn from it: train it longer (model.finetune)."
    ]


def test_a_share_above_the_whole(records: Records) -> None:
    measure_teacher(records)
    finish(records, a_cell(), test=0.95)
    assert sentences(records, a_cell()) == [
        "The only student scores above its teacher: "
        "a teacher that is trained longer (model.finetune) may have more to give."
    ]


def test_a_loss_that_still_falls(records: Records) -> None:
    measure_teacher(records)
    finish(records, a_cell(), losses=FALLING)
    assert sentences(records, a_cell()) == [
        "The loss of the only student still falls at the last step: train longer (80 steps are at most 1 epoch)."
    ]


def test_all_students_equal(records: Records) -> None:
    measure_teacher(records)
    cells = [a_cell(name, strategy=name) for name in ("none", "forward", "reverse")]
    for cell in cells:
        finish(records, cell)
    assert sentences(records, *cells) == [
        "All 3 students of bert on own score 0.600: "
        "train longer (80 steps are at most 1 epoch), or raise train.learning_rate (here 1e-5)."
    ]


def test_a_loss_that_is_not_finite_names_the_rate(records: Records) -> None:
    begin(records.cell("a")).fail("not finite at step 3: loss nan", "", by_itself=True)
    begin(records.cell("b")).fail("RuntimeError: no", "", by_itself=True)
    cells = [a_cell(), a_cell("b", strategy="none")]
    assert sentences(records, *cells) == [
        "The loss of 1 cell (forward · teacher) did not stay finite: "
        "a rate too high is the likely cause; lower train.learning_rate (here 1e-5)."
    ]


@pytest.mark.parametrize(
    ("losses", "is_falling"),
    [
        (FALLING, True),
        (FLAT, False),
        (FALLING[::-1], False),
        (FALLING[:9], False),
        ([1.0 + (-1) ** step / 10 - step / 1000 for step in range(20)], False),
        ([1 / step for step in range(100, 200)], True),
    ],
)
def test_a_fall_is_more_than_noise(losses: list[float], is_falling: bool) -> None:
    assert falls(losses) == is_falling


@pytest.mark.parametrize(
    ("trial", "evaluated", "text"),
    [
        (config(epochs=3), [10, 20, 30], "30 steps are 3 epochs"),
        (config(max_steps=30), [6, 12, 18, 24, 30], "30 steps are at most 5 epochs"),
        (config(max_steps=30, evaluate_every=1.0), [30], "30 steps are at most 1 epoch"),
        (config(max_steps=30, evaluate_every=0.5), [10, 20, 30], "30 steps are 1.5 epochs"),
        (make_cell(train={"max_steps": 30, "batch_size": 50}).config, [], "30 steps are 0.5 epochs"),
    ],
)
def test_steps_in_epochs(trial: TrialConfig, evaluated: list[int], text: str) -> None:
    assert epochs(trial, 30, evaluated) == text
