"""The paper's models by shape: teacher, student and recipe, and the lengths of the texts that they are trained on.

No weights and no data: weights are random, and lengths are drawn from a fixed log-normal distribution that has the
mean of the task.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from typing import Any

from trainables.config import TrialConfig
from trainables.device import Dtype
from trainables.families import FAMILIES, Family
from trainables.heads import Head
from trainables.tasks.codec import IGNORED, Example
from trainables.tasks.kinds import KINDS

FIRST_ID = 5
"""Token ids from here on are drawn; those below are special tokens."""
NUM_CLASSES = 3


@dataclass(frozen=True)
class Lengths:
    """Tokens of a text: log-normal, special tokens included."""

    mean: float
    spread: float
    """The standard deviation of the logarithm."""

    def draw(self, rng: random.Random, longest: int) -> int:
        drawn = rng.lognormvariate(math.log(self.mean) - self.spread**2 / 2, self.spread)
        return max(4, min(longest, round(drawn)))


@dataclass(frozen=True)
class Shape:
    """One of the paper's settings."""

    family: str
    task: str
    """A built-in task: it gives the kind and the longest text."""
    teacher: dict[str, Any]
    """Fields of the teacher's transformers config."""
    inputs: Lengths
    targets: Lengths | None = None
    """Of a generated answer; an answer of a decoder-only model lies at the end of the input."""
    model: dict[str, Any] = field(default_factory=dict[str, Any])
    train: dict[str, Any] = field(default_factory=dict[str, Any])
    losses: dict[str, Any] = field(default_factory=dict[str, Any])

    def config(self, dtype: Dtype, **train: Any) -> TrialConfig:
        """The cell of strategy `forward` with copied weights; `train` overrides the recipe."""
        return TrialConfig.model_validate(
            {
                "model": {"name": self.family, "family": self.family, "teacher": "random weights", **self.model},
                "task": self.task,
                "dtype": dtype,
                "strategy": "forward",
                "init": "teacher",
                "train": {**self.train, **train},
                "losses": self.losses,
            }
        )

    def changed(self, teacher: dict[str, Any], model: dict[str, Any]) -> Shape:
        """The shape with other fields of its teacher's config and of its model."""
        return replace(self, teacher={**self.teacher, **teacher}, model={**self.model, **model})

    def of(self) -> Family:
        return FAMILIES[self.family]

    def head(self) -> Head:
        """The head of the models of its task."""
        task = self.config("fp32").task
        return KINDS[task.kind].head([str(index) for index in range(NUM_CLASSES)])

    def examples(self, number: int, seed: int = 0, *, full: bool = False) -> list[Example]:
        """Examples of random tokens; with `full` each is as long as the task allows."""
        rng, longest = random.Random(seed), self.config("fp32").task.max_length
        return [self._example(rng, longest, full=full) for _ in range(number)]

    def _example(self, rng: random.Random, longest: int, *, full: bool) -> Example:
        def text(lengths: Lengths) -> list[int]:
            length = longest if full else lengths.draw(rng, longest)
            return [rng.randrange(FIRST_ID, self.teacher["vocab_size"]) for _ in range(length)]

        ids, form = text(self.inputs), self.of().form
        if form == "encoder":
            return {"input_ids": ids, "token_type_ids": [0] * len(ids), "label": [rng.randrange(NUM_CLASSES)]}
        assert self.targets is not None
        labels = text(self.targets)
        if form == "decoder":
            answer = min(len(labels), len(ids) // 2)
            labels = [IGNORED] * (len(ids) - answer) + ids[-answer:]
        return {"input_ids": ids, "labels": labels}


_LORA = {"alpha": 32, "dropout": 0.1}

SHAPES: dict[str, Shape] = {
    "bert-base": Shape(
        family="bert",
        task="mnli",
        teacher={
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "vocab_size": 30522,
        },
        inputs=Lengths(40, 0.45),
        model={"finetune": {"learning_rate": 2e-5, "batch_size": 32}, "student_blocks": 3},
        train={"batch_size": 32, "learning_rate": 1e-5},
    ),
    "t5-base": Shape(
        family="t5",
        task="wmt16-en-ro",
        teacher={
            "d_model": 768,
            "d_kv": 64,
            "d_ff": 3072,
            "num_layers": 12,
            "num_heads": 12,
            "vocab_size": 32128,
            "decoder_start_token_id": 0,
        },
        inputs=Lengths(38, 0.5),
        targets=Lengths(50, 0.5),
        model={
            "finetune": {"optimizer": "adafactor", "learning_rate": 5e-4, "batch_size": 8},
            "student_blocks": 3,
        },
        train={"optimizer": "adafactor", "learning_rate": 1e-4, "batch_size": 8, "freeze_embeddings": True},
        losses={"temperature": 2, "hidden_norm": "layernorm"},
    ),
    "bart-large": Shape(
        family="bart",
        task="dart",
        teacher={
            "d_model": 1024,
            "encoder_layers": 12,
            "decoder_layers": 12,
            "encoder_attention_heads": 16,
            "decoder_attention_heads": 16,
            "encoder_ffn_dim": 4096,
            "decoder_ffn_dim": 4096,
            "vocab_size": 50265,
        },
        inputs=Lengths(45, 0.45),
        targets=Lengths(28, 0.45),
        model={"finetune": {"learning_rate": 1e-5, "batch_size": 16}, "student_blocks": 3},
        train={"learning_rate": 1e-4, "batch_size": 8, "freeze_embeddings": True},
    ),
    "qwen3-8b": Shape(
        family="qwen3",
        task="hellaswag",
        teacher={
            "hidden_size": 4096,
            "intermediate_size": 12288,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "vocab_size": 151936,
            "tie_word_embeddings": False,
        },
        inputs=Lengths(100, 0.35),
        targets=Lengths(30, 0.35),
        model={
            "finetune": {"learning_rate": 2e-5, "batch_size": 6, "gradient_checkpointing": True},
            "lora": {"teacher": {"r": 32, **_LORA}, "student": {"r": 128, **_LORA}},
            "student_blocks": 9,
        },
        train={"learning_rate": 3e-4, "batch_size": 3, "accumulation": 2, "gradient_checkpointing": True},
        losses={"hidden_norm": "l2"},
    ),
}

_SMALL: dict[str, dict[str, Any]] = {
    "bert-base": {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 64},
    "t5-base": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 4, "num_heads": 2},
    "bart-large": {
        "d_model": 32,
        "encoder_layers": 4,
        "decoder_layers": 4,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
    },
    "qwen3-8b": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
    },
}


def shapes(*, dry: bool) -> dict[str, Shape]:
    """The shapes; dry, with tiny widths, four blocks, students of two and texts of at most 16 tokens."""
    if not dry:
        return SHAPES
    return {
        name: replace(
            shape.changed({**_SMALL[name], "vocab_size": 400}, {"student_blocks": 2}),
            inputs=Lengths(10, 0.2),
            targets=shape.targets and Lengths(8, 0.2),
        )
        for name, shape in SHAPES.items()
    }
