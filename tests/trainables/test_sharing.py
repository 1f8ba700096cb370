"""Which cells may share a cohort, field by field of a cell's config."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.trainables.golden import config
from trainables.sharing import cohort_key

CELL = config("bart", "forward")

APART: dict[str, Any] = {
    "seed": 1,
    "dtype": "bf16",
    "losses.semantics": "official",
    "task.max_length": 16,
    "task.num_eval": 3,
    "task.num_beams": 2,
    "task.prefix": "say: ",
    "train.batch_size": 3,
    "train.accumulation": 1,
    "train.max_steps": 7,
    "train.evaluate_every": 0.5,
}
TOGETHER: dict[str, Any] = {
    "strategy": "reverse",
    "init": "random",
    "model.student_blocks": 2,
    "model.student_width": 8,
    "model.lora": {"student": {"r": 2}},
    "train.learning_rate": 0.5,
    "train.optimizer": "adafactor",
    "train.warmup_steps": 2,
    "train.freeze_embeddings": True,
    "train.checkpoint_minutes": 1,
    "train.epochs": 3,  # max_steps decides
    "losses.hidden": 1.5,
    "losses.temperature": 2.0,
    "losses.hidden_norm": "layernorm",
}


def changed(path: str, value: Any) -> str:
    fields = CELL.model_dump()
    *parents, last = path.split(".")
    inner = fields
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return cohort_key(type(CELL).model_validate(fields))


@pytest.mark.parametrize("path", APART)
def test_what_decides_batches_teacher_or_evaluations_sets_cells_apart(path: str) -> None:
    assert changed(path, APART[path]) != cohort_key(CELL)


@pytest.mark.parametrize("path", TOGETHER)
def test_what_a_student_has_of_its_own_does_not(path: str) -> None:
    assert changed(path, TOGETHER[path]) == cohort_key(CELL)


def test_epochs_count_where_there_is_no_number_of_steps() -> None:
    fields = CELL.model_dump()
    fields["train"]["max_steps"] = None
    keys = {
        cohort_key(type(CELL).model_validate(fields | {"train": fields["train"] | {"epochs": epochs}}))
        for epochs in (2, 3)
    }
    assert len(keys | {cohort_key(CELL)}) == 3


def test_a_plan_asks_without_torch() -> None:
    program = (
        "import sys, trainables.sharing; print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
