"""The search of a sweep: the fields that are tuned for each group of cells, and how Optuna proposes their values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from trainables.config import Count, Frozen, Positive

Finite = Annotated[float, Field(allow_inf_nan=False)]
_TRAIN = (
    "learning_rate",
    "warmup_steps",
    "optimizer",
    "scale_parameter",
    "weight_decay",
    "clip_norm",
    "freeze_embeddings",
)
_SEARCHABLE = (*(f"train.{name}" for name in _TRAIN), "model.lora.student.alpha", "model.lora.student.dropout")
_SHAREABLE = ("strategy", "init", "model.student_blocks")
_SEARCHABLE_BLOCKS = ("losses.", "model.projection.")


class Span(Frozen):
    """The values of a field: a range with low and high, or choices."""

    low: Finite | None = Field(default=None, description="The lowest value of a range.")
    high: Finite | None = Field(default=None, description="The highest value of a range.")
    log: bool = Field(default=False, description="Whether values are proposed evenly on a logarithmic scale.")
    step: Finite | None = Field(default=None, description="The distance between the values of a range; null: any.")
    choices: list[Any] | None = Field(default=None, description="The values, in place of a range.")


class Search(Frozen):
    """One Optuna study per group of cells, each with the same space, sampler, seed and number of candidates."""

    fields: dict[str, Span] = Field(
        default={}, description="Dotted path of a trial config field -> its range, or its choices."
    )
    candidates: Positive = Field(default=16, description="The number of settings that each group tries.")
    at_once: Positive = Field(
        default=4, description="Candidates of a round: they are proposed together, before any of them has a score."
    )
    sampler: Literal["tpe", "gp", "random", "qmc", "cmaes"] = Field(
        default="tpe", description="Optuna's sampler that proposes candidates; cmaes needs the package cmaes."
    )
    seed: Count = Field(
        default=1000, description="The seed of the sampler and of the candidates' training; no seed of the sweep's."
    )
    share: dict[str, Any] = Field(
        default={},
        description="Axis -> one of its values: the search runs with this value, and its choice holds for all of them.",
    )
    studies: str | None = Field(
        default=None,
        description="URL of an Optuna storage for the studies; null: sweeps/<name>/optuna.db under a local storage, "
        "and none where the storage is a URL.",
    )


def is_shareable(axis: str) -> bool:
    """Whether one search may serve all values of the axis: it moves neither data, batches nor teacher."""
    return axis in _SHAREABLE or is_searchable(axis)


def is_searchable(path: str) -> bool:
    """Whether candidates may differ in the field: it moves neither data, batches, teacher, steps nor sizes."""
    return path in _SEARCHABLE or (path.startswith(_SEARCHABLE_BLOCKS) and path != "losses.semantics")
