"""How a student or a teacher is trained: the optimiser and the weights of the loss."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from trainables.config.fields import Count, Frozen, Positive, Rate, Weight


class TrainConfig(Frozen):
    """How a student or a teacher is optimised: linear warm-up, linear decay to zero, clipped gradients."""

    epochs: Rate = Field(default=10, description="Passes over the training split; may be a fraction.")
    max_steps: Positive | None = Field(default=None, description="Optimiser steps; overrides epochs.")
    batch_size: Positive = Field(default=32, description="Examples of a micro-batch.")
    accumulation: Positive = Field(default=1, description="Micro-batches of an optimiser step.")
    learning_rate: Rate = 2e-5
    warmup_steps: Count = 0
    optimizer: Literal["adamw", "adafactor"] = "adamw"
    scale_parameter: bool = Field(default=False, description="adafactor: rates relative to each parameter's RMS.")
    weight_decay: Weight = 0.01
    clip_norm: Rate = 1.0
    freeze_embeddings: bool = Field(default=False, description="As they always are under LoRA.")
    gradient_checkpointing: bool = Field(
        default=False,
        description="Blocks are computed again for the backward pass: less memory, same numbers.",
    )
    evaluate_every: Rate = Field(
        default=1.0, description="Epochs between evaluations; the last step is always evaluated."
    )
    checkpoint_minutes: Rate = 5

    @model_validator(mode="after")
    def _scaled_by_adafactor(self) -> Self:
        if self.scale_parameter and self.optimizer != "adafactor":
            raise ValueError(f"scale_parameter: got true beside optimizer {self.optimizer}; only adafactor has it")
        return self


class FinetuneConfig(TrainConfig):
    """How a teacher is made from labels."""

    epochs: Rate = 3
    learning_rate: Rate = 5e-5
    seed: int = 0


class LossConfig(Frozen):
    """Weights of the terms: ce * CE + kl * T^2 KL + hidden * MSE."""

    ce: Weight = 1.0
    kl: Weight = 1.0
    hidden: Weight = 3.0
    temperature: Rate = 1.0
    semantics: Literal["clean", "official"] = Field(
        default="clean",
        description="official: as the paper's public code; Qwen3's needs hidden_norm l2.",
    )
    hidden_norm: Literal["none", "l2", "layernorm"] = "none"

    @model_validator(mode="after")
    def _something_to_learn(self) -> LossConfig:
        if self.ce == self.kl == 0:
            raise ValueError("ce: got 0 beside kl: 0; the output layer needs one of them")
        return self
