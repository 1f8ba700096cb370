"""The losses of the first optimiser steps of small cells, and the file that keeps them.

    python -m tests.trainables.golden

writes golden.json again. Whoever has to do so has changed the numbers that the code gives: trainables/recipe.py is
raised first, so that no cell computed by older code is taken for a new one.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.trainables.alone import distil
from trainables import finetune
from trainables.builtin import MODELS, TASKS
from trainables.config import TrialConfig
from trainables.families import FAMILIES
from trainables.metrics import Metrics
from trainables.official import OFFICIAL
from trainables.recipe import RECIPE
from trainables.tasks import read
from trainables.tasks.rows import Data

FILE = Path(__file__).with_name("golden.json")
NUM_STEPS = 5
LOSSES = ("train/loss", "train/loss_ce", "train/loss_kl", "train/loss_hidden")

Losses = dict[str, list[float]]
"""Name -> its value at every step."""

SHAPES: dict[str, dict[str, Any]] = {
    "bert": {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "initializer_range": 0.3},
    "bart": {
        "d_model": 16,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "init_std": 0.3,
    },
    "t5": {"d_model": 16, "d_kv": 8, "num_heads": 2, "d_ff": 32},
    "qwen3": {
        "hidden_size": 16,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "intermediate_size": 32,
        "initializer_range": 0.3,
    },
}
PIECES = {"tokenizer": {"kind": "byte_bpe", "vocab_size": 300}}
"""Of BERT: the built-in one would give all sentences of natural logic, which have three words, the same length."""
TASK_OF = {"bert": "natural-logic", "bart": "localisation", "t5": "localisation", "qwen3": "localisation"}

VARIANTS: dict[str, dict[str, Any]] = {
    **{strategy: {"strategy": strategy} for strategy in ("none", "forward", "reverse", "all_to_one", "random")},
    # Drawn weights and drawn projections.
    "forward, narrow": {"strategy": "forward", "init": "random", "model": {"student_width": 8}},
    "forward, official": {"strategy": "forward", "losses": {"semantics": "official"}},
}
NORMS = {name: code.hidden_norms[-1] for name, code in OFFICIAL.items()}
"""Of the hidden states in the public code of each family."""


def untrained(family: str) -> dict[str, Any]:
    """The built-in teacher of a family, at width 16."""
    teacher = MODELS[f"tiny-{family}"]["teacher"]
    small = {**teacher, "config": {**teacher["config"], **SHAPES[family]}}
    return small | PIECES if family == "bert" else small


def config(family: str, variant: str, **changes: Any) -> TrialConfig:
    """A cell that takes a second: the built-in model at width 16 on 16 rows, two micro-batches of unlike lengths."""
    model, task = MODELS[f"tiny-{family}"], TASKS[TASK_OF[family]]
    given = VARIANTS[variant]
    if "losses" in given:
        given = {**given, "losses": {**given["losses"], "hidden_norm": NORMS[family]}}
    return TrialConfig.model_validate(
        {
            "seed": 0,
            "dtype": "fp32",
            "train": {"max_steps": NUM_STEPS, "batch_size": 2, "accumulation": 2, "learning_rate": 1e-3},
            **given,
            "model": {**model, "teacher": untrained(family), **given.get("model", {})},
            "task": {
                **task,
                "generated": {**task["generated"], "train": 16, "validation": 4, "test": 4},
                "max_length": 32,
                "max_new_tokens": 2,
            },
            **changes,
        }
    )


def save_teacher(config: TrialConfig, folder: Path) -> Data:
    """Saves a cell's teacher, drawn and never trained, to the folder; the cell's data."""
    data = read(config.task)
    model, tokenizer = finetune.start(config.model, config.task, data, FAMILIES[config.model.family], seed=1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return data


def losses(config: TrialConfig) -> Losses:
    """The losses of a cell."""
    steps: list[Metrics] = []

    def report(step: int, metrics: Metrics) -> None:
        if LOSSES[0] in metrics:
            assert step == len(steps) + 1
            steps.append(metrics)

    with tempfile.TemporaryDirectory() as name:
        teacher, folder = Path(name, "teacher"), Path(name, "cell")
        folder.mkdir()
        data = save_teacher(config, teacher)
        distil(config, data, teacher, folder, report)
    assert len(steps) == NUM_STEPS
    return {loss: [step[loss] for step in steps] for loss in LOSSES}


def write() -> None:
    """Computes all numbers and writes the file."""
    numbers = {family: {variant: losses(config(family, variant)) for variant in VARIANTS} for family in SHAPES}
    FILE.write_text(json.dumps({"recipe": RECIPE, "losses": numbers}, indent=1) + "\n")


if __name__ == "__main__":
    write()
