"""A ready teacher: it learns nothing, and is measured as its students are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.trainables.golden import config, save_teacher
from trainables import finetune
from trainables.cohort import Cohort
from trainables.config import TokenizerConfig
from trainables.metrics import Metrics
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


def test_it_leaves_its_answers_to_the_test_rows(tmp_path: Path) -> None:
    trial = config("bert", "forward")
    data = save_teacher(trial, tmp_path / "teacher")
    ready = trial.model.model_copy(update={"teacher": str(tmp_path / "teacher"), "finetune": None})
    metrics = finetune.run(ready, trial.task, data, tmp_path, lambda *_: None, "fp32").metrics
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert [(row["split"], row["row"]) for row in rows] == [("test", number) for number in range(len(data.test))]
    assert [row["reference"] for row in rows] == [data.classes[each.label] for each in data.test]
    assert sum(row["score"] for row in rows) / len(rows) == metrics["test/accuracy"]


CHECKED, NEWEST = "c0ffee" + 34 * "0", "decade" + 34 * "0"
"""Commits of a hub's model."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model's commits in a cache of the hub, which no network is behind; `main` is at the newest."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    model = tmp_path / "hub" / "models--org--name"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(NEWEST)
    return model / "snapshots"


def test_a_hub_id_is_loaded_at_the_commit_that_was_checked(tmp_path: Path, hub: Path) -> None:
    """Config, tokenizer and weights: none of them is that of `main`."""
    trial = config("bert", "forward")
    data = save_teacher(trial, hub / CHECKED)
    newer: Any = {"hidden_size": 8, "intermediate_size": 24}
    scratch: Any = trial.model.teacher
    other = scratch.model_copy(
        update={"config": {**scratch.config, **newer}, "tokenizer": TokenizerConfig(kind="word")}
    )
    save_teacher(trial.model_copy(update={"model": trial.model.model_copy(update={"teacher": other})}), hub / NEWEST)
    ready = {"teacher": "org/name", "revision": CHECKED, "finetune": None}
    trial = trial.model_copy(update={"model": trial.model.model_copy(update=ready)})

    cohort = Cohort(trial, data, Path("org/name"), 1)
    wanted = load_file(hub / CHECKED / "model.safetensors")
    loaded = cohort.teacher.state_dict()
    assert loaded.keys() == wanted.keys()
    assert all(torch.equal(loaded[name], weights) for name, weights in wanted.items())
    vocabulary = json.loads((hub / CHECKED / "tokenizer.json").read_text())["model"]["vocab"]
    assert cohort.evaluator.tokenizer.get_vocab() == cohort.plain_tokenizer.get_vocab() == vocabulary
    measured = finetune.Teacher(trial.model, trial.task, data, tmp_path, lambda *_: None, "fp32", 1, None)
    assert torch.equal(measured.model.state_dict()["classifier.weight"], wanted["classifier.weight"])
    assert measured.tokenizer.get_vocab() == vocabulary
