"""The operations of a training step per token, from the shapes of the models.

The forward pass of a token takes 2 operations per weight that the token is multiplied with. The backward pass takes
twice as many: half for the gradient of the weights, half for that of the inputs (Kaplan et al., 2020, section 2.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sweep.plan.checks.sizes import CellSizes
from trainables.config import LoraConfig, TrainConfig
from trainables.families.counts import count, outputs_per_token, student_shape
from trainables.strategies import NoMatching

PROJECTION, DISTANCE = 6, 5
"""Operations per weight of a projection (forward, gradients of weight and input), and per element of a matched state
(difference, square and sum, and two for the gradient)."""


@dataclass(frozen=True)
class ModelSize:
    """The numbers of a model's parameters: of all, and of those that each token is multiplied with."""

    total: int
    used: int


def student_size(cell: CellSizes) -> ModelSize:
    """The student of a cell."""
    return _model(cell, _student_shape(cell))


def teacher_size(cell: CellSizes) -> ModelSize:
    """The teacher of a cell."""
    return _model(cell, cell.shape)


def _student_shape(cell: CellSizes) -> dict[str, Any]:
    model = cell.config.model
    return student_shape(cell.family, cell.shape, model.student_blocks, model.student_width)


def _model(cell: CellSizes, shape: dict[str, Any]) -> ModelSize:
    counted = count(cell.family, shape, cell.head)
    used = counted.blocks + cell.family.width(shape) * outputs_per_token(cell.family, shape, cell.head)
    return ModelSize(counted.total, used)


def training(model: ModelSize, lora: LoraConfig | None, config: TrainConfig) -> float:
    """Operations per token: the forward pass and both gradients; with adapters, frozen weights need no gradient."""
    return (2 + 2 + 2 * (lora is None) + 2 * config.gradient_checkpointing) * model.used


def step_operations(cell: CellSizes) -> float:
    """Of teacher, student and matching, per token of a batch."""
    config = cell.config
    student, teacher = student_size(cell), teacher_size(cell)
    return training(student, config.model.student_lora, config.train) + 2 * teacher.used + _matching(cell)


def _matching(cell: CellSizes) -> float:
    """Of all matched states: the output of each block of the student and, where they are matched, the embeddings."""
    strategy, model, family = cell.config.strategy, cell.config.model, cell.family
    if isinstance(strategy, NoMatching):
        return 0.0
    shape = student_shape(family, cell.shape, model.student_blocks, model.student_width)
    has_embeddings = family.match_embeddings if strategy.match_embeddings is None else strategy.match_embeddings
    num_states = sum(depth + has_embeddings for depth in family.num_blocks(shape).values())
    width, teacher_width = family.width(shape), family.width(cell.shape)
    projection = 0 if width == teacher_width else PROJECTION * width * teacher_width
    return num_states * (projection + DISTANCE * teacher_width)
