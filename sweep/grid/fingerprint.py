"""Content hashes of cells and teachers, over everything that can change their numbers.

Names and locations are left out, and a field that the other fields make inert counts as its default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from sweep.grid.blocks import NAMES, Once, OncePerSeeds, inert_in_blocks
from trainables import plugins
from trainables.config import LoraConfig, TaskConfig, TrainConfig, TrialConfig
from trainables.distances import MSE
from trainables.inert import at_defaults, without_inert
from trainables.recipe import RECIPE
from trainables.strategies import Drawn

_TASK_LABELS = {"name", "files", "generated", "hub", "splits", "sample", "examples"}
_TRAIN_LABELS = {"checkpoint_minutes", "gradient_checkpointing"}


def fingerprint(trial: TrialConfig, data: str, teacher: str) -> str:
    """The hash of a cell: its config with a resolved dtype, and the hashes of its data and teacher."""
    return Fingerprints().cell(trial, data, teacher)


class Fingerprints:
    """Hashes the cells of a grid and their teachers; what cells share is written as JSON once."""

    def __init__(self) -> None:
        self._halves = OncePerSeeds[tuple[str, str]]()
        self._blocks = Once[str]()
        self._teachers = OncePerSeeds[str]()

    def cell(self, trial: TrialConfig, data: str, teacher: str) -> str:
        """The hash of a cell, as `fingerprint`."""
        assert trial.dtype != "auto"
        before, after = self._halves.of(
            lambda config: self._around_seed(config, data, teacher), trial, key=(data, teacher)
        )
        return _hash(f"{before}{canonical(trial.seed)}{after}")

    def teacher(self, trial: TrialConfig, data: str, source: dict[str, Any]) -> str:
        """The hash of a cell's teacher: the content of its source, its data, and its config with a resolved dtype."""
        assert trial.dtype != "auto"
        return self._teachers.of(lambda config: _teacher(config, data, source), trial, source, key=data)

    def _around_seed(self, trial: TrialConfig, data: str, teacher: str) -> tuple[str, str]:
        """The canonical JSON of what counts of a cell, before and after the value of its seed."""
        inert = inert_in_blocks(trial)
        texts = {name: self._block(trial, name, inert[name]) for name in NAMES}
        hashes = {"recipe": RECIPE, "data": data, "teacher": teacher}
        others = {**hashes, **_lora(trial.model.student_lora), **_plugin_hashes(trial)}
        texts |= {key: canonical(value) for key, value in others.items()}
        parts = [f'"{key}":{texts[key]}' for key in sorted(texts)]
        place = sorted(texts).index("seed")
        return ",".join(["{" + parts[0], *parts[1:place], '"seed":']), ",".join(["", *parts[place + 1 :]]) + "}"

    def _block(self, trial: TrialConfig, name: str, inert: frozenset[str]) -> str:
        """What counts of a block, as canonical JSON."""
        block = getattr(trial, name)
        if not isinstance(block, BaseModel):
            return canonical(block)
        return self._blocks.of(lambda: _block_text(at_defaults(trial, sorted(inert)), name), block, key=(name, inert))


def _block_text(trial: TrialConfig, name: str) -> str:
    left_out: dict[str, set[str]] = {
        "model": {"name", "teacher", "revision", "shape", "finetune", "lora"},
        "task": _task_labels(trial.task),
        "train": _train_labels(trial.train),
        **_defaults(trial),
    }
    return canonical(getattr(trial, name).model_dump(mode="json", exclude=left_out[name]))


def _teacher(trial: TrialConfig, data: str, source: dict[str, Any]) -> str:
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
    if not plugins.active():
        return {}
    trial = without_inert(trial)
    hashes = {kind: sources for kind, sources in plugins.used_by(trial).items() if kind not in excluded}
    return {"plugins": hashes} if hashes else {}


def digest(value: Any) -> str:
    """A hash of plain values that does not depend on key order or the spelling of numbers (1, 1.0)."""
    return _hash(canonical(value))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def canonical(value: Any) -> str:
    """Plain values as canonical JSON."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
