"""What guessing scores, by the metrics of a kind and of plug-ins."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.trainables.tasks.kinds.settings import SETTINGS, Setting
from trainables.config import TaskConfig
from trainables.own_metrics import METRICS, Metric
from trainables.tasks.guessing import chance, metric_problems
from trainables.tasks.kinds.classification import Classification, ClassificationRow
from trainables.tasks.rows import Data

ROWS = [ClassificationRow((f"text {number}",), label) for number, label in enumerate((0, 1, 1, 2))]
CLASSES = ("a", "b", "c")


def task(**fields: Any) -> TaskConfig:
    files = {split: f"{split}.jsonl" for split in ("train", "validation", "test")}
    given = {"name": "t", "kind": "classification", "files": files, "text": ["text"], **fields}
    return TaskConfig.model_validate(given)


def data() -> Data:
    return Data.of({"train": ROWS, "validation": ROWS, "test": ROWS}, CLASSES)


def own(monkeypatch: pytest.MonkeyPatch, compute: Callable[[Sequence[Any], Sequence[Any]], dict[str, float]]) -> None:
    monkeypatch.setitem(METRICS, "own", Metric("classification", ("own",), compute))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_guesses_are_predictions(setting: Setting) -> None:
    guesses = setting.kind.guesses(setting.rows)
    assert len(guesses) == len(setting.rows)
    assert setting.kind.score(setting.rows, guesses, setting.classes).keys() == set(setting.kind.metrics)


def test_the_commonest_class_is_guessed() -> None:
    assert Classification().guesses(ROWS) == [1, 1, 1, 1]
    assert chance(task(), ROWS, CLASSES) == 0.5


@pytest.mark.parametrize(("value", "expected"), [(0.25, 0.25), (math.nan, 0.0)])
def test_a_plugins_main_metric_has_a_chance(monkeypatch: pytest.MonkeyPatch, value: float, expected: float) -> None:
    seen: list[tuple[list[Any], list[Any]]] = []

    def compute(predicted: Sequence[Any], right: Sequence[Any]) -> dict[str, float]:
        seen.append(([*predicted], [*right]))
        return {"own": value}

    own(monkeypatch, compute)
    assert chance(task(metric="own"), ROWS, CLASSES) == expected
    assert seen == [([1, 1, 1, 1], [0, 1, 1, 2])]


def broken(predicted: Sequence[Any], right: Sequence[Any]) -> dict[str, float]:
    return {"own": {}[0]}


@pytest.mark.parametrize(
    ("compute", "reason"),
    [
        (broken, "KeyError: 0"),
        (lambda *_: {"other": 1.0}, "metric classification: own: gives other"),
        (lambda *_: {"own": math.nan}, None),
        (lambda *_: {"own": 1.0}, None),
    ],
)
def test_a_plugins_metric_is_tried(monkeypatch: pytest.MonkeyPatch, compute: Any, reason: str | None) -> None:
    own(monkeypatch, compute)
    said = [(problem.path, problem.message) for problem in metric_problems(task(), data())]
    assert said == ([("metric", f"the metrics of plug-ins fail on 2 rows with guesses: {reason}")] if reason else [])
