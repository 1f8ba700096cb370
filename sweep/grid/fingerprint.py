"""Identity by content: what can change a cell's or a teacher's numbers, hashed.

Names and places are left out, and a field that has no effect beside the others counts as its default.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from trainables import plugins
from trainables.config import LoraConfig, TaskConfig, TrialConfig
from trainables.inert import without_inert
from trainables.recipe import RECIPE

_TASK_LABELS = {"name", "files", "generated", "hub", "splits", "sample", "examples"}
_TRAIN_LABELS = {"checkpoint_minutes", "gradient_checkpointing"}


def fingerprint(trial: TrialConfig, data: str, teacher: str) -> str:
    """The identity of a cell: its config, with its data and its teacher by their hashes; dtype resolved."""
    assert trial.dtype != "auto"
    trial = without_inert(trial)
    fields = trial.model_dump(
        mode="json",
        exclude={
            "model": {"name", "teacher", "revision", "shape", "finetune", "lora"},
            "task": _task_labels(trial.task),
            "train": _TRAIN_LABELS,
        },
    )
    named = {"recipe": RECIPE, "data": data, "teacher": teacher}
    return digest({**named, **fields, **_lora(trial.model.student_lora), **_own(trial)})


def hash_teacher(trial: TrialConfig, data: str, source: dict[str, Any]) -> str:
    """The identity of a cell's teacher: its source by content and how it is made; dtype resolved."""
    assert trial.dtype != "auto"
    trial = without_inert(trial)
    made = trial.model_dump(
        mode="json",
        include={"model": {"family": True, "finetune": True}, "task": True, "dtype": True},
        exclude={"model": {"finetune": _TRAIN_LABELS}, "task": _task_labels(trial.task)},
    )
    named = {"recipe": RECIPE, "data": data, "source": source}
    return digest({**named, **made, **_lora(trial.model.teacher_lora), **_own(trial, but="strategy")})


def _task_labels(task: TaskConfig) -> set[str]:
    """A main metric is named only where it is not the kind's own."""
    return _TASK_LABELS | ({"metric"} if task.metric is None else set())


def _lora(lora: LoraConfig | None) -> dict[str, Any]:
    """The adapters of the model that is trained, and of no other; nothing where there are none."""
    return {"lora": lora.model_dump(mode="json")} if lora else {}


def _own(trial: TrialConfig, but: str = "") -> dict[str, Any]:
    """The plug-ins that take part, by their texts; nothing where none does."""
    used = {sort: hashes for sort, hashes in plugins.used_by(trial).items() if sort != but}
    return {"plugins": used} if used else {}


def digest(value: Any) -> str:
    """A hash of plain values that key order and the spelling of numbers (1, 1.0) do not change."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]


def canonical(value: Any) -> str:
    """Plain values as JSON of one form."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
