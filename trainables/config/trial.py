"""One cell, resolved: its model, task, strategy and training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, WithJsonSchema

from trainables.builtin import MODELS, TASKS
from trainables.config.fields import Frozen
from trainables.config.kinds import read_kind
from trainables.config.model import ModelConfig
from trainables.config.task import TaskConfig
from trainables.config.train import LossConfig, TrainConfig
from trainables.strategies import STRATEGIES, Strategy

StrategyField = Annotated[
    SerializeAsAny[Strategy],
    BeforeValidator(read_kind("strategy", STRATEGIES)),
    WithJsonSchema({"anyOf": [{"enum": list(STRATEGIES)}, {"type": "object", "required": ["kind"]}]}),
]


def read_named(kind: str, table: dict[str, dict[str, Any]]) -> Callable[[Any], Any]:
    """A validator that replaces the name of a built-in model or task by its mapping."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in table:
            raise ValueError(f"expected a mapping or one of the built-in {kind}s: {', '.join(table)}")
        return table[value]

    return read


class TrialConfig(Frozen):
    """One cell, resolved."""

    model: Annotated[ModelConfig, BeforeValidator(read_named("model", MODELS))]
    task: Annotated[TaskConfig, BeforeValidator(read_named("task", TASKS))]
    strategy: StrategyField = Field(
        default=STRATEGIES["forward"](kind="forward"),
        description="The teacher state that each student state is matched to: a name, or a mapping with kind.",
    )
    init: Literal["random", "teacher", "block_influence"] = Field(
        default="teacher",
        description="The student's initial weights: random ones, or copies of the teacher's. teacher copies evenly "
        "spaced blocks, and block_influence those that change their input most (ShortGPT, Men et al., 2024).",
    )
    seed: int = Field(default=0, description="The seed of every random draw of the cell.")
    train: TrainConfig = TrainConfig()
    losses: LossConfig = LossConfig()
    dtype: Literal["fp32", "bf16", "auto"] = Field(
        default="auto", description="auto: bf16 where the hardware is fast at it, else fp32."
    )
