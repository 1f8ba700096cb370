"""The fields that vary between the cells of a sweep, and labels that show them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sweep.grid import labels
from trainables.config import TrialConfig
from trainables.inert import inert_fields, is_within

FlatConfig = dict[str, str]
"""Dotted path -> value as text."""

_SHORT_NAMES = {"learning_rate": "lr", "student_blocks": "blocks", "student_width": "width", "batch_size": "batch"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")
_MAX_LENGTH = 24
_TEACHER_FIELDS: Any = {
    "model": {"family": True, "teacher": True, "revision": True, "finetune": True, "lora": {"teacher"}},
    "task": True,
    "dtype": True,
}


def varied_fields(configs: Sequence[TrialConfig]) -> list[str]:
    """The fields, besides strategy, init and seed, that vary between cells of one model and task.

    They follow the order of the axes, which the order of the grid shows: its last axis varies first.
    """
    return _fields_that_vary(configs, cell_fields)


def cell_fields(config: TrialConfig) -> FlatConfig:
    """The fields that affect the cell, except strategy, init and seed, which its label names already."""
    inert = inert_fields(config)
    flat = labels.flatten(config.model_dump(mode="json", exclude={"strategy", "init", "seed"}))
    return {key: value for key, value in flat.items() if not is_within(key, inert)}


def every_field(config: TrialConfig) -> FlatConfig:
    """All fields that affect the cell; a strategy without parameters is one field."""
    own = {"strategy": labels.strategy_label(config.strategy), "init": config.init, "seed": str(config.seed)}
    return own | cell_fields(config)


def cell_labels(configs: Mapping[str, TrialConfig]) -> dict[str, str]:
    """The label of each cell of a sweep, by fingerprint: `bert · sst2 · forward · random · s0 · lr=2e-4`.

    The label has no task if the sweep has only one.
    """
    return _labels(configs, labels.cell_label)


def group_labels(configs: Mapping[str, TrialConfig]) -> dict[str, str]:
    """The label of each group of a sweep, one config each: `bert · sst2 · forward · random · blocks=2`."""
    return _labels(configs, labels.group_label)


def _labels(configs: Mapping[str, TrialConfig], label: Callable[..., str]) -> dict[str, str]:
    has_tasks = len({config.task.name for config in configs.values()}) > 1
    suffixes = _suffixes(configs, cell_fields)
    return {key: " · ".join([label(config, with_task=has_tasks), *suffixes[key]]) for key, config in configs.items()}


def short_labels(configs: Mapping[str, TrialConfig]) -> dict[str, str]:
    """What tells each cell of a sweep from the others, by fingerprint: `reverse · teacher · lr=1e-3`.

    Model, task and seed are left out where all cells have the same one.
    """
    suffixes = _suffixes(configs, cell_fields)
    shared = {
        name
        for name, values in {
            "model": {config.model.name for config in configs.values()},
            "task": {config.task.name for config in configs.values()},
            "seed": {config.seed for config in configs.values()},
        }.items()
        if len(values) == 1
    }
    return {key: " · ".join([*_own_parts(config, shared), *suffixes[key]]) for key, config in configs.items()}


def _own_parts(config: TrialConfig, shared: set[str]) -> list[str]:
    parts = {
        "model": config.model.name,
        "task": config.task.name,
        "strategy": labels.strategy_label(config.strategy),
        "init": config.init,
        "seed": f"s{config.seed}",
    }
    return [text for name, text in parts.items() if name not in shared]


def teacher_labels(configs: Mapping[str, TrialConfig]) -> dict[str, str]:
    """The label of each teacher of a sweep, by hash: `bert · teacher · sst2 · epochs=3`.

    `configs` has the config of one cell per teacher.
    """
    suffixes = _suffixes(configs, teacher_fields)
    return {key: " · ".join([labels.teacher_label(config), *suffixes[key]]) for key, config in configs.items()}


def teacher_fields(config: TrialConfig) -> FlatConfig:
    """The fields that affect the cell's teacher."""
    inert = inert_fields(config)
    flat = labels.flatten(config.model_dump(mode="json", include=_TEACHER_FIELDS))
    return {key: value for key, value in flat.items() if not is_within(key, inert)}


def _fields_that_vary(configs: Sequence[TrialConfig], fields_of: Callable[[TrialConfig], FlatConfig]) -> list[str]:
    groups: dict[tuple[str, str], list[tuple[FlatConfig, frozenset[str]]]] = defaultdict(list)
    for config in configs:
        groups[config.model.name, config.task.name].append((fields_of(config), inert_fields(config)))
    places: dict[str, int] = {}
    for members in groups.values():
        for key in dict.fromkeys(key for fields, _ in members for key in fields):
            values = [fields.get(key) for fields, inert in members if not is_within(key, inert)]
            place = next((place for place, value in enumerate(values) if value != values[0]), None)
            if place is not None:
                places[key] = min(place, places.get(key, place))
    return sorted(places, key=lambda key: -places[key])


def _suffixes(
    configs: Mapping[str, TrialConfig], fields_of: Callable[[TrialConfig], FlatConfig]
) -> dict[str, list[str]]:
    """The varied fields of each config as parts of a label: `lr=2e-4`."""
    names = axis_names(_fields_that_vary([*configs.values()], fields_of))
    flat = {key: fields_of(config) for key, config in configs.items()}
    return {
        key: [f"{name}={short_value(fields[field])}" for field, name in names.items() if field in fields]
        for key, fields in flat.items()
    }


def axis_names(fields: Sequence[str]) -> dict[str, str]:
    """A short name of each field: the shortest end of its path that no other path has, `lr` for a learning rate."""
    return {field: _name(field.split("."), [other.split(".") for other in fields]) for field in fields}


def _name(path: list[str], others: list[list[str]]) -> str:
    lengths = range(1, len(path) + 1)
    length = next((num for num in lengths if sum(other[-num:] == path[-num:] for other in others) == 1), len(path))
    *above, last = path[-length:]
    return ".".join([*above, _SHORT_NAMES.get(last, last)])


def short_value(value: str) -> str:
    """A short form of a value: `2e-4` for `0.0002`, `3` for `3.0`, the last part of a path."""
    if _NUMBER.fullmatch(value):
        number = Decimal(value).normalize()
        return min(f"{number:f}", f"{number:e}", key=len) if abs(number) < 1 else f"{number:f}"
    value = value.rstrip("/").rpartition("/")[2]
    return value if len(value) <= _MAX_LENGTH else value[: _MAX_LENGTH - 1] + "…"
