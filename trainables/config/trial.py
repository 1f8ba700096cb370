"""One cell, resolved: its model, task, strategy and training."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, WithJsonSchema

from trainables.builtin import MODELS, TASKS
from trainables.config.fields import Frozen
from trainables.config.model import ModelConfig
from trainables.config.task import TaskConfig
from trainables.config.train import LossConfig, TrainConfig
from trainables.strategies import STRATEGIES, Strategy


def read_strategy(value: Any) -> Any:
    """A strategy from its name, or from a mapping of its kind and parameters."""
    if isinstance(value, Strategy):
        return value
    fields = {"kind": value} if isinstance(value, str) else value
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        raise ValueError(f"expected the name of a strategy, or a mapping with its kind: {', '.join(STRATEGIES)}")
    kind = fields["kind"]
    if kind not in STRATEGIES:
        near = difflib.get_close_matches(kind, STRATEGIES, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"expected one of {', '.join(STRATEGIES)}{guess}")
    return STRATEGIES[kind].model_validate(fields)


StrategyField = Annotated[
    SerializeAsAny[Strategy],
    BeforeValidator(read_strategy),
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
    init: Literal["random", "teacher"] = Field(
        default="teacher", description="The student's initial weights: random ones, or copies of the teacher's."
    )
    seed: int = Field(default=0, description="The seed of every random draw of the cell.")
    train: TrainConfig = TrainConfig()
    losses: LossConfig = LossConfig()
    dtype: Literal["fp32", "bf16", "auto"] = Field(
        default="auto", description="auto: bf16 where the hardware is fast at it, else fp32."
    )
