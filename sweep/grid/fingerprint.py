"""Content hashes of cells and teachers, over everything that can change their numbers.

Names and locations are left out, and a field that the other fields make inert counts as its default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

from trainables import plugins
from trainables.config import LoraConfig, TaskConfig, TrainConfig, TrialConfig
from trainables.distances import MSE
from trainables.inert import without_inert
from trainables.recipe import RECIPE
from trainables.strategies import Drawn

_TASK_LABELS = {"name", "files", "generated", "hub", "splits", "sample", "examples"}
_TRAIN_LABELS = {"checkpoint_minutes", "gradient_checkpointing"}


def fingerprint(trial: TrialConfig, data: str, teacher: str) -> str:
    """The hash of a cell: its config with a resolved dtype, and the hashes of its data and teacher."""
    assert trial.dtype != "auto"
    trial = without_inert(trial)
    fields = trial.model_dump(
        mode="json",
        exclude={
            "model": {"name", "teacher", "revision", "shape", "finetune", "lora"},
            "task": _task_labels(trial.task),
            "train": _train_labels(trial.train),
            **_defaults(trial),
        },
    )
    hashes = {"recipe": RECIPE, "data": data, "teacher": teacher}
    return digest({**hashes, **fields, **_lora(trial.model.student_lora), **_plugin_hashes(trial)})


def hash_teacher(trial: TrialConfig, data: str, source: dict[str, Any]) -> str:
    """The hash of a cell's teacher: the content of its source, its data, and its config with a resolved dtype."""
    assert trial.dtype != "auto"
    trial = without_inert(trial)
    fields = trial.model_dump(
        mode="json",
        include={"model": {"family": True, "finetune": True}, "task": True, "dtype": True},
        exclude={"model": {"finetune": _train_labels(trial.model.finetune)}, "task": _task_labels(trial.task)},
    )
    hashes = {"recipe": RECIPE, "data": data, "source": source}
    plugin_hashes = _plugin_hashes(trial, excluded=("strategy", "distance", "loss"))
    return digest({**hashes, **fields, **_lora(trial.model.teacher_lora), **plugin_hashes})


def _task_labels(task: TaskConfig) -> set[str]:
    """The task fields that do not count; the metric is among them if it is the kind's default."""
    return _TASK_LABELS | ({"metric"} if task.metric is None else set())


def _defaults(trial: TrialConfig) -> dict[str, set[str]]:
    """Fields that do not count at their defaults, so that the hashes of cells from before they existed stay."""
    losses = {"distance": trial.losses.distance == MSE(), "own": trial.losses.own is None}
    strategy = {"redraw": isinstance(trial.strategy, Drawn) and not trial.strategy.redraws}
    sections = {"losses": losses, "strategy": strategy}
    return {name: {key for key, is_default in keys.items() if is_default} for name, keys in sections.items()}


def _train_labels(train: TrainConfig | None) -> set[str]:
    """The fields of a training that do not count; the patience is among them where it is endless."""
    return _TRAIN_LABELS | ({"patience"} if train is None or train.patience is None else set())


def _lora(lora: LoraConfig | None) -> dict[str, Any]:
    """The adapters of the trained model; empty if there are none."""
    return {"lora": lora.model_dump(mode="json")} if lora else {}


def _plugin_hashes(trial: TrialConfig, excluded: Collection[str] = ()) -> dict[str, Any]:
    """The hashes of the plug-ins that the trial uses; empty if it uses none."""
    hashes = {kind: sources for kind, sources in plugins.used_by(trial).items() if kind not in excluded}
    return {"plugins": hashes} if hashes else {}


def digest(value: Any) -> str:
    """A hash of plain values that does not depend on key order or the spelling of numbers (1, 1.0)."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]


def canonical(value: Any) -> str:
    """Plain values as canonical JSON."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
