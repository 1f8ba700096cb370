"""Metrics of plug-ins measured on finished models, whose answers or weights are stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sweep.grid.cells import Cell
from sweep.plan.checks import Checked
from sweep.plan.checks.teachers import TeacherSource
from sweep.plan.metrics import gaps
from sweep.records.own_metrics import metrics_of
from sweep.records.records import Record, Records
from sweep.records.revisions import Revisions
from sweep.records.storage import Storage
from sweep.spec.sweep import SweepConfig
from sweep.students.measure import measure
from tests.sweep.tracked import begin, make_result
from tests.trainables.tasks.kinds.settings import SETTINGS, Setting
from trainables import plugins, predict, predictions
from trainables.config import TrialConfig
from trainables.plugins import Plugin
from trainables.tasks.rows import Data

SOURCE = """
from trainables.own_metrics import Metric
from trainables.plugins import register

def equal(predicted, references):
    SHARE

register(Metric("KIND", ("equal",), equal))
"""
SHARES = {
    "multiple_choice": "return {'equal': sum(max(p) == p[r] for p, r in zip(predicted, references)) / len(predicted)}",
    "generation": "return {'equal': sum(p in r for p, r in zip(predicted, references)) / len(predicted)}",
    "question_answering": "return {'equal': sum(p in r for p, r in zip(predicted, references)) / len(predicted)}",
    "token_classification": "return {'equal': sum(p == list(r) for p, r in zip(predicted, references)) / "
    "len(predicted)}",
}
DEFAULT = "return {'equal': sum(p == r for p, r in zip(predicted, references)) / len(predicted)}"
RIGHT = {"regression": 0.0, "question_answering": 0.5}
"""The metric where all is right, if it is not 1: a correlation is right at other numbers, an answer in other words."""


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    plugins.activate(())


@pytest.fixture(params=["folder", "url"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    return Records(Storage(str(tmp_path / "runs") if request.param == "folder" else f"memory://{uuid4().hex}"))


def activated(kind: str, share: str | None = None) -> None:
    body = SHARES.get(kind, DEFAULT) if share is None else share
    plugins.activate([Plugin("own.py", SOURCE.replace("KIND", kind).replace("SHARE", body))])


def checked_of(setting: Setting, names: Sequence[str] = ()) -> Checked:
    """One cell of a task of this kind; its teacher calls the classes `names`."""
    task = {
        "name": "own",
        "kind": setting.name,
        "files": {"train": "a"},
        **setting.fields,
    }
    model = {"name": "bert", "family": "bert", "teacher": "hub/id"}
    config = TrialConfig.model_validate({"model": model, "task": task, "dtype": "fp32"})
    splits = {"train": setting.rows, "validation": setting.rows, "test": setting.rows}
    data = Data.of({**splits, "test_other": setting.rows[:1]}, setting.classes)
    cell = Cell(config, data.hash, "teacher", "cell")
    source = TeacherSource({"id2label": {str(index): name for index, name in enumerate(names)}}, {}, "hub/id")
    return Checked(SweepConfig(name="own"), [cell], {data.hash: data}, {"teacher": source}, Revisions("memory://any"))


def finish(record: Record, checked: Checked, predicted: Sequence[Any] | None, names: Sequence[str]) -> None:
    """A finished cell with its answers, if it has any."""
    attempt, kind = begin(record), checked.cells[0].config.task.kind
    if predicted is not None:
        (data,) = checked.data.values()
        answers = {"test": list(predicted), "test_other": list(predicted[:1])}
        predictions.write(attempt.folder, kind, data.tests, answers, names)
    attempt.commit(make_result(attempt))


def values(record: Record, kind: str) -> dict[str, float]:
    result = record.result()
    assert result is not None
    return {key: value for key, value in metrics_of(record, result, kind).items() if key.endswith("/equal")}


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_stored_answers_of_every_kind_are_measured(setting: Setting, records: Records) -> None:
    checked, record = checked_of(setting), records.cell("cell")
    finish(record, checked, setting.right, setting.classes)
    before = record.storage.read(record.manifest_path)
    activated(setting.name)
    done, problems = measure(gaps(checked.cells, records), checked, num_threads=1)
    assert (done, problems) == (["The metric equal was measured on the stored answers of 1 cell."], [])
    share = RIGHT.get(setting.name, 1.0)
    assert values(record, setting.name)["test/equal"] == share
    assert values(record, setting.name).keys() == {"test/equal", "test_other/equal"}
    assert record.storage.read(record.manifest_path) == before
    assert gaps(checked.cells, records) == []


CLASSES = next(setting for setting in SETTINGS if setting.name == "classification")


def test_an_edited_metric_is_measured_anew_and_never_stale(records: Records) -> None:
    checked, record = checked_of(CLASSES), records.cell("cell")
    finish(record, checked, CLASSES.right, CLASSES.classes)
    result = record.result()
    assert result is not None
    activated("classification", "return {'equal': 0.25}")
    sources = plugins.metric_sources("classification")
    metrics = {**result.metrics, "eval/equal": 0.25, "test/equal": 0.25, "test_other/equal": 0.25, "train/equal": 3.0}
    trained = result.model_copy(update={"metrics": metrics, "own_metrics": sources})
    record.storage.write(record.manifest_path, trained.dump())
    assert gaps(checked.cells, records) == []
    activated("classification", "return {'equal': 0.75}")
    assert metrics_of(record, trained, "classification") == {**result.metrics, "train/equal": 3.0}
    measure(gaps(checked.cells, records), checked, num_threads=1)
    assert values(record, "classification") == {"test/equal": 0.75, "test_other/equal": 0.75, "train/equal": 3.0}
    activated("classification", "return {'equal': 0.25}")
    assert metrics_of(record, trained, "classification") == metrics
    plugins.activate(())
    assert "test/equal" not in metrics_of(record, trained, "classification")


def test_a_teachers_own_names_of_the_classes_are_known(records: Records) -> None:
    names = ("NEGATIVE", "POSITIVE")
    checked, record = checked_of(CLASSES, names), records.cell("cell")
    finish(record, checked, [0, 1, 1], names)
    activated("classification")
    measure(gaps(checked.cells, records), checked, num_threads=1)
    assert values(record, "classification") == {"test/equal": 2 / 3, "test_other/equal": 1.0}


def test_a_model_without_answers_answers_again(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, record = checked_of(CLASSES), records.cell("cell")
    attempt = begin(record)
    (attempt.folder / "student").mkdir()
    (attempt.folder / "student" / "config.json").write_text("{}")
    attempt.commit(make_result(attempt))
    asked: list[str] = []

    def answer(folder: Path, config: TrialConfig, rows: Sequence[Any], classes: Any, num_threads: int) -> list[int]:
        asked.append((folder / "config.json").read_text())
        assert (config, classes, num_threads) == (checked.cells[0].config, CLASSES.classes, 3)
        return [0] * len(rows)

    monkeypatch.setattr(predict, "predict", answer)
    activated("classification")
    done, problems = measure(gaps(checked.cells, records), checked, num_threads=3)
    words = "The metric equal was measured with the stored model of 1 cell, whose answers are not stored."
    assert (done, problems, asked) == ([words], [], ["{}", "{}"])
    assert values(record, "classification") == {"test/equal": 2 / 3, "test_other/equal": 1.0}


def test_what_cannot_be_measured_has_no_value_and_a_reason(records: Records) -> None:
    checked, record = checked_of(CLASSES), records.cell("cell")
    finish(record, checked, None, ())
    activated("classification")
    place = record.storage.full_url(record.root)
    assert measure(gaps(checked.cells, records), checked, num_threads=1) == (
        [],
        [
            "The metric equal has no value for bert · none · teacher · s0: neither its answers nor its model is "
            f"stored; delete {place}, and the next run computes it again, metrics included.".replace("none", "forward")
        ],
    )
    assert values(record, "classification") == {}


@pytest.mark.parametrize(
    ("share", "reason"),
    [
        ("return {'equal': float('nan')}", "ValueError: metric classification: equal: equal is nan; expected a finite"
         " number"),
        ("raise KeyError('a')", "KeyError: 'a'"),
    ],
)  # fmt: skip
def test_a_metric_that_fails_is_tried_again(records: Records, share: str, reason: str) -> None:
    checked, record = checked_of(CLASSES), records.cell("cell")
    finish(record, checked, CLASSES.right, CLASSES.classes)
    activated("classification", share)
    for _ in range(2):
        (problem,) = measure(gaps(checked.cells, records), checked, num_threads=1)[1]
        assert problem.endswith(f"it fails with {reason}.")
    assert values(record, "classification") == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lines: lines[:-1], "predictions.jsonl has 0 answers for the 1 rows of test_other."),
        (lambda lines: [{**line, "reference": "2"} for line in lines],
         "the references in predictions.jsonl are not those of the data."),
        (lambda lines: [{**line, "prediction": "2"} for line in lines],
         "the references in predictions.jsonl are not those of the data."),
    ],
)  # fmt: skip
def test_answers_to_other_rows_are_refused(tmp_path: Path, change: Any, reason: str) -> None:
    records = Records(Storage(str(tmp_path)))
    checked, record = checked_of(CLASSES), records.cell("cell")
    finish(record, checked, CLASSES.right, CLASSES.classes)
    file = record.path(predictions.FILE)
    assert file is not None
    lines = change([json.loads(line) for line in file.read_text().splitlines()])
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    activated("classification")
    (problem,) = measure(gaps(checked.cells, records), checked, num_threads=1)[1]
    assert problem.endswith(reason)
