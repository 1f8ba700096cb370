"""Labels of cells, teachers and strategies, and the flat fields of a config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainables.config import TrialConfig
from trainables.strategies import Match, Strategy


def strategy_label(strategy: Strategy) -> str:
    """The strategy's name and its parameters other than defaults: `all_to_one(teacher_state=6)`."""
    fields = strategy.model_dump(exclude={"kind"}, exclude_defaults=True)
    parameters = ", ".join(f"{name}={_text(value)}" for name, value in fields.items())
    return f"{strategy.kind}({parameters})" if parameters else strategy.kind


def cell_label(config: TrialConfig, *, with_task: bool = True) -> str:
    """`bert · sst2 · forward · random · s0`"""
    return f"{group_label(config, with_task=with_task)} · s{config.seed}"


def group_label(config: TrialConfig, *, with_task: bool = True) -> str:
    """`bert · sst2 · forward · random`"""
    task = [config.task.name] if with_task else []
    return " · ".join([config.model.name, *task, strategy_label(config.strategy), config.init])


def teacher_label(config: TrialConfig) -> str:
    """`bert · teacher · sst2`"""
    return f"{config.model.name} · teacher · {config.task.name}"


def pairs(mapping: Mapping[Any, Match]) -> str:
    """The mapping of one stack as `student:teacher` states: `0:0 1:4 2:8`, or `1:0.5*3+0.5*4` with weights."""
    return " ".join(f"{student}:{_match(match)}" for student, match in mapping.items())


def _match(match: Match) -> str:
    if not isinstance(match, dict):
        return str(match)
    return "+".join(f"{weight:g}*{state}" for state, weight in match.items())


def flatten(config: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as dotted keys; strings stay as they are, other values become JSON."""
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = _text(value)
    return flat


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
