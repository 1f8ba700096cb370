"""How a student or a teacher is trained: the optimiser and the weights of the loss."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, SerializeAsAny, WithJsonSchema, model_validator

from trainables.config.fields import Count, Frozen, Positive, Rate, Weight
from trainables.config.kinds import read_kind
from trainables.distances import DISTANCES, MSE, Distance
from trainables.own_losses import OWN_LOSSES, OwnLoss


class TrainConfig(Frozen):
    """How a student or a teacher is optimised, with linear warm-up, linear decay to zero and clipped gradients."""

    epochs: Rate = Field(default=10, description="Passes over the training split; fractions are allowed.")
    max_steps: Positive | None = Field(default=None, description="Optimiser steps; overrides epochs.")
    batch_size: Positive = Field(default=32, description="Examples per micro-batch.")
    accumulation: Positive = Field(default=1, description="Micro-batches per optimiser step.")
    learning_rate: Rate = Field(default=2e-5, description="The highest rate, reached at the end of the warm-up.")
    warmup_steps: Count = Field(default=0, description="Optimiser steps over which the rate rises from 0.")
    optimizer: Literal["adamw", "adafactor"] = Field(
        default="adamw", description="adafactor: the optimiser with which T5 was trained."
    )
    scale_parameter: bool = Field(
        default=False, description="adafactor: whether rates are relative to each parameter's RMS."
    )
    weight_decay: Weight = Field(
        default=0.01,
        description="The weight decay of matrices; biases and norms are never decayed. The paper's code uses 0.",
    )
    clip_norm: Rate = Field(default=1.0, description="Gradients with a larger norm are scaled down to it.")
    freeze_embeddings: bool = Field(
        default=False, description="Whether the embeddings are frozen; under LoRA they always are."
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Computes blocks again for the backward pass, which saves memory and changes no number.",
    )
    evaluate_every: Rate | None = Field(
        default=None,
        description="Epochs between evaluations; the last step is always evaluated. null: 1, or as many as give a "
        "short training 5 evaluations.",
    )
    patience: Positive | None = Field(
        default=None,
        description="Evaluations in a row without a better main metric after which the training ends, with the rate "
        "that it has then; null: it goes on to its last step.",
    )
    checkpoint_minutes: Rate = Field(
        default=5, description="Minutes between checkpoints; longer if they would take over 2% of the time."
    )

    @model_validator(mode="after")
    def _check_scale_parameter(self) -> Self:
        if self.scale_parameter and self.optimizer != "adafactor":
            raise ValueError(f"scale_parameter: got true beside optimizer {self.optimizer}; only adafactor has it")
        return self


class FinetuneConfig(TrainConfig):
    """How a teacher is trained on labels."""

    epochs: Rate = Field(default=3, description="Passes over the training split; fractions are allowed.")
    learning_rate: Rate = Field(default=5e-5, description="The highest rate, reached at the end of the warm-up.")
    seed: int = Field(default=0, description="The seed of the teacher's fresh weights, data order and dropout.")


class Ramp(Frozen):
    """A weight that changes linearly over the first steps of a training."""

    model_config = ConfigDict(serialize_by_alias=True)

    start: Weight = Field(alias="from", description="The weight at the first step.")
    to: Weight = Field(description="The weight at the end of the change, and after it.")
    until: Annotated[float, Field(gt=0, le=1)] = Field(default=1.0, description="The share of the steps it takes.")


def weight_at(weight: float | Ramp, done: float) -> float:
    """The weight of a term once a share of the steps is done."""
    if isinstance(weight, Ramp):
        return weight.start + (weight.to - weight.start) * min(1.0, done / weight.until)
    return weight


def _is_never(weight: float | Ramp) -> bool:
    return weight == 0 or (isinstance(weight, Ramp) and weight.start == weight.to == 0)


_KINDS = {"type": "object", "required": ["kind"]}


class LossConfig(Frozen):
    """Weights of the terms: ce * CE + kl * T^2 KL + hidden * distance. A weight may change as {from, to, until}."""

    ce: Weight | Ramp = Field(default=1.0, description="Weight of the cross entropy with the labels.")
    kl: Weight | Ramp = Field(default=1.0, description="Weight of the KL divergence from the teacher's logits.")
    hidden: Weight | Ramp = Field(default=3.0, description="Weight of the distance between matched hidden states.")
    distance: Annotated[
        SerializeAsAny[Distance],
        BeforeValidator(read_kind("distance", DISTANCES)),
        WithJsonSchema({"anyOf": [{"enum": list(DISTANCES)}, _KINDS]}),
    ] = Field(default=MSE(), description="The distance between matched hidden states: mse, cosine or cka.")
    own: Annotated[
        SerializeAsAny[OwnLoss] | None,
        BeforeValidator(lambda value: None if value is None else read_kind("loss of a plug-in", OWN_LOSSES)(value)),
        WithJsonSchema({"anyOf": [{"type": "null"}, {"type": "string"}, _KINDS]}),
    ] = Field(default=None, description="A loss term of a plug-in: its kind, or a mapping with kind and weight.")
    temperature: Rate = Field(default=1.0, description="T, by which the logits are divided in the KL term.")
    semantics: Literal["clean", "official"] = Field(
        default="clean",
        description="clean: the paper's equations; official: its public code, in which Qwen3 needs hidden_norm l2.",
    )
    hidden_norm: Literal["none", "l2", "layernorm"] = Field(
        default="none", description="How each hidden state is normalised before the distance."
    )

    @model_validator(mode="after")
    def _check_weights(self) -> LossConfig:
        if _is_never(self.ce) and _is_never(self.kl) and self.own is None:
            raise ValueError("ce: got 0 beside kl: 0; the output layer needs one of them")
        return self
