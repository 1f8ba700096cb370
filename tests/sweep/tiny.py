"""Sweeps that take seconds: built-in models whose teachers are trained for two steps, on a few generated rows."""

from __future__ import annotations

from typing import Any

from trainables.builtin import MODELS

FEW = {"train": 32, "validation": 16, "test": 16}
TRAIN = {"max_steps": 3, "batch_size": 8, "evaluate_every": 1.0}

TASKS: dict[str, dict[str, Any]] = {
    "natural-logic": {
        "name": "natural-logic",
        "kind": "classification",
        "generated": {"generator": "natural_logic", **FEW},
        "text": ["premise", "hypothesis"],
        "max_length": 32,
    },
    "localisation": {
        "name": "localisation",
        "kind": "generation",
        "generated": {"generator": "localisation", **FEW},
        "max_length": 24,
        "max_new_tokens": 8,
    },
}
PIECES = {"kind": "byte_bpe", "vocab_size": 300}
"""A tokenizer that gives the sentences of natural logic, which all have three words, unlike lengths."""
TASK_OF = {"bert": "natural-logic", "bart": "localisation", "t5": "localisation", "qwen3": "localisation"}
_DROPOUT = {"bert": {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}, "t5": {"dropout_rate": 0.1}}


def small(name: str, **finetune: object) -> dict[str, Any]:
    """A built-in model whose teacher is trained for two steps, or as `finetune` says."""
    model = MODELS[name]
    if name == "tiny-bert":
        model = {**model, "teacher": {**model["teacher"], "tokenizer": PIECES}}
    return {**model, "finetune": {**model["finetune"], "max_steps": 2, "evaluate_every": 1.0, **finetune}}


def base(family: str) -> dict[str, Any]:
    """The trial config's model and task; with dropout, so that random state shows in the numbers."""
    model = small(f"tiny-{family}")
    teacher = {**model["teacher"], "config": {**model["teacher"]["config"], **_DROPOUT.get(family, {})}}
    return {"model": {**model, "teacher": teacher}, "task": TASKS[TASK_OF[family]], "train": TRAIN}


class Unwatched:
    """A schedule.Watcher that does not care."""

    def started(self, name: str) -> None: ...
    def update(self, name: str, step: int, loss: float | None) -> None: ...
    def finished(self, name: str) -> None: ...
    def failed(self, name: str, reason: str) -> None: ...
    def left(self, name: str) -> None: ...
