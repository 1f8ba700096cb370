"""A ready teacher: it learns nothing, and is measured as its students are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.trainables.golden import config, save_teacher
from trainables import finetune
from trainables.loop import Metrics
from trainables.tasks.rows import Data


def test_it_is_measured_on_validation_and_test(tmp_path: Path) -> None:
    trial = config("bert", "forward")
    data = save_teacher(trial, tmp_path / "teacher")
    ready = trial.model.model_copy(update={"teacher": str(tmp_path / "teacher"), "finetune": None})
    reported: list[tuple[int, Metrics]] = []

    def measured(of: Data) -> Metrics:
        outcome = finetune.run(ready, trial.task, of, tmp_path, lambda *row: reported.append(row), "fp32")
        assert reported[-1] == (0, outcome.metrics)
        return outcome.metrics

    one, other = measured(data), measured(replace(data, validation=data.test, test=data.validation))
    assert one["best/accuracy"] == other["test/accuracy"]
    assert other["best/accuracy"] == one["test/accuracy"]
    assert one["best/accuracy"] != one["test/accuracy"]
