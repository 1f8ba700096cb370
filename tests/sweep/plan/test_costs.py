"""What a plan costs, worked out by hand on a small shape; what does not fit its GPU is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweep.plan import costs
from sweep.plan.checks import prepare
from sweep.plan.checks.sizes import CellSizes, Splits
from sweep.plan.states import Plan
from sweep.records.records import Records
from sweep.records.storage import Storage
from tests.sweep.own_data import BASE, lines, write_all
from trainables.config import TrialConfig
from trainables.families import FAMILIES
from trainables.heads import LANGUAGE_MODEL, Head

SHAPE = {
    "hidden_size": 8,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 4,
    "intermediate_size": 16,
    "vocab_size": 100,
    "tie_word_embeddings": True,
}
LINEARS = 2 * 8 * 8 + 2 * 8 * 4 + 3 * 8 * 16
BLOCK = LINEARS + 2 * 8 + 2 * 4
TABLE = 100 * 8


SMALL = ("base.train.batch_size=1", "base.model.finetune.batch_size=1")
"""Overrides under which own_data's models are nothing beside CUDA's own memory."""


def sized(**fields: Any) -> CellSizes:
    model = {"name": "q", "family": "qwen3", "teacher": "t", "student_blocks": 2, **fields.pop("model", {})}
    task = {"name": "g", "kind": "generation", "hub": {"path": "p"}, "max_length": 10, **fields.pop("task", {})}
    train = {"max_steps": 50, "batch_size": 4, "accumulation": 2, **fields.pop("train", {})}
    config = TrialConfig.model_validate({"model": model, "task": task, "train": train, "dtype": "bf16", **fields})
    return CellSizes(config, FAMILIES["qwen3"], SHAPE, LANGUAGE_MODEL, Splits(80, 6, 5))


def test_a_cell_by_hand() -> None:
    """50 steps of 8 examples of 10 tokens; an epoch is 10 steps, so that 5 times 6 examples are evaluated."""
    cell = sized(task={"max_new_tokens": 3, "num_beams": 2})
    student, teacher = 2 * BLOCK + TABLE, 4 * BLOCK + TABLE
    trained = 50 * 8 * 10 * (6 * student + 2 * teacher)
    answered = 2 * student * (10 + 2 * 3)
    evaluated = 5 * 6 * (answered + 10 * 2 * (student + teacher))
    assert costs.cell_operations(cell) == trained + evaluated + 5 * answered
    assert costs.hours(3600e12, 1.0) == 1
    assert costs.hours(124.8 * 3600e12, None) == pytest.approx(1)


def test_adapters_and_checkpoints_change_the_operations() -> None:
    plain = sized()
    student = costs.student_size(plain)
    assert student.used == 2 * BLOCK + TABLE
    assert student.total == 2 * BLOCK + TABLE + 8
    adapted = sized(model={"lora": {"student": {"r": 1}}}).config
    again = sized(train={"gradient_checkpointing": True}).config
    assert costs.training(student, None, plain.config.train) == 6 * student.used
    assert costs.training(student, adapted.model.student_lora, adapted.train) == 4 * student.used
    assert costs.training(student, None, again.train) == 8 * student.used


def test_an_answer_by_its_kind() -> None:
    model = costs.ModelSize(0, 7)
    cell = sized(task={"max_new_tokens": 3, "num_beams": 5})
    choice = replace(cell, config=sized(task={"kind": "multiple_choice"}).config)
    classified = replace(cell, config=sized(task={"kind": "classification", "text": ["a"]}).config)
    tagged = replace(cell, config=sized(task={"kind": "token_classification", "text": ["a"]}).config)
    asked = [costs.evaluation(each, model) for each in (classified, tagged, choice, cell)]
    assert asked == [2 * 7 * 10, 2 * 7 * 10, 2 * 7 * 40, 2 * 7 * (10 + 15)]


def test_a_token_is_multiplied_with_the_outputs_that_it_has() -> None:
    """With every word of the vocabulary, with nine tags, or with nothing: a text has its one number once."""
    tags = Head("token_classification", tuple("abcdefghi"))
    number = Head("sequence_classification", ("score",), "squared_error")
    used = [costs.student_size(replace(sized(), head=head)).used for head in (LANGUAGE_MODEL, tags, number)]
    assert used == [2 * BLOCK + TABLE, 2 * BLOCK + 9 * 8, 2 * BLOCK]


def test_a_teacher_by_hand() -> None:
    assert costs.teacher_operations(sized()) == (6 + 5) * costs.evaluation(sized(), costs.teacher_size(sized()))
    made = sized(model={"finetune": {"max_steps": 7, "batch_size": 3, "evaluate_every": 9}})
    teacher = 4 * BLOCK + TABLE
    answered = 2 * teacher * (10 + 64)
    assert costs.teacher_operations(made) == 7 * 3 * 10 * 6 * teacher + 6 * (answered + 2 * teacher * 10) + 5 * answered


def test_storage_by_hand() -> None:
    small = sized(model={"finetune": {"epochs": 1}})
    large = sized(model={"finetune": {"epochs": 1}, "student_blocks": 3})
    student = [4 * (num * BLOCK + TABLE + 8) for num in (2, 3)]
    teacher = 4 * (4 * BLOCK + TABLE + 8)
    found = costs.storage([[small, large], [large]], "best")
    assert (found.teachers, found.students, found.others) == (2 * teacher, 2 * student[1], student[0])
    assert found.checkpoint == 3 * teacher  # weights and AdamW's two moments
    # 6 measurements of 3, 4 and 4 student states and 25 pairs, and 2 histograms of 20 bins.
    assert found.angles == (3 + 4 + 4) * 25 * (6 * 24 + 2 * 20 * 8)
    assert costs.storage([[small, large]], "all").others == costs.storage([[small]], "none").students == 0


def test_a_trial_that_cannot_fit_is_refused_with_its_parts(tmp_path: Path) -> None:
    found = lines(tmp_path, *SMALL, "resources.gpus=1", "resources.gpu_gb=1")
    assert found == [
        f"resources.gpu_gb: got 1; {what} needs 1.6 GB: CUDA 1.6. What would help: a GPU of 2 GB"
        for what in ("teacher of own on words", "own on words")
    ]
    path = write_all(tmp_path)
    storage = f"storage={tmp_path}/runs"
    for right in (["resources.gpus=1", "resources.gpu_gb=2"], ["resources.gpus=1"], ["resources.gpu_gb=1"]):
        assert len(prepare(path, [storage, *SMALL, *right]).cells) == 1
    shared = lines(tmp_path, *SMALL, "resources.gpus=0.5", "resources.gpu_gb=2")
    assert shared[0].startswith("resources.gpu_gb: got 1 on 0.5 of a GPU; teacher of own on words needs 1.6 GB")
    apart = lines(tmp_path, *SMALL, "resources.gpus=2", "resources.gpu_gb=1")  # the teacher on a GPU of its own
    assert apart == [found[0], found[0].replace("teacher", "ready teacher"), found[1]]


def test_what_would_help_is_what_is_large(tmp_path: Path) -> None:
    shape = {**SHAPE, "hidden_size": 8192, "head_dim": 128, "num_attention_heads": 64, "intermediate_size": 28672}
    teacher = {"config": {**shape, "vocab_size": 300}, "tokenizer": {"vocab_size": 300}}
    model = {"name": "big", "family": "qwen3", "teacher": teacher, "finetune": {"epochs": 1}}
    found = lines(tmp_path, "resources.gpus=1", "resources.gpu_gb=24", base={**BASE, "model": model})
    assert "What would help: model.finetune.optimizer: adafactor; or model.lora.teacher; or a GPU of " in found[0]
    assert "What would help: train.optimizer: adafactor; or model.lora.student; or a GPU of " in found[1]


def shown(folder: Path, capsys: pytest.CaptureFixture[str], *overrides: str) -> list[str]:
    checked = prepare(write_all(folder), [f"storage={folder}/runs", *SMALL, *overrides], look_up=False)
    plan = Plan.of(checked, Records(Storage(checked.config.storage_url)))
    costs.show(checked, plan, Console(width=60))
    return capsys.readouterr().out.splitlines()


def test_a_plan_shows_what_it_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (storage,) = shown(tmp_path, capsys)
    assert storage.startswith("storage: about 0.0")
    hours, memory, teacher, cell, same = shown(tmp_path, capsys, "resources.gpus=1")
    assert hours.startswith("GPU hours: about ")
    assert memory == "GPU memory of a trial, at most; resources.gpu_gb is not given, so a plan refuses nothing:"
    assert teacher.startswith("  teacher of own on words 1.6 GB: ")
    assert cell.startswith("  own on words 1.6 GB: ")
    assert same == storage
    assert shown(tmp_path, capsys, "resources.gpus=1", "resources.gpu_gb=80")[1] == "GPU memory of a trial, at most:"


def test_a_plan_shows_what_the_candidates_of_a_search_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked = prepare(write_all(tmp_path), [f"storage={tmp_path}/runs", "resources.gpus=1"], look_up=False)
    plan = Plan.of(checked, Records(Storage(checked.config.storage_url)))
    (cell,) = plan.cells
    costs.show(checked, replace(plan, trials={cell: 1000}), Console(width=60))
    parts = re.search(r"candidates ([\d.e+-]+), cells ([\d.e+-]+)", capsys.readouterr().out)
    assert parts
    assert float(parts[1]) == pytest.approx(1000 * float(parts[2]))
