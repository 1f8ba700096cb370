"""The fields that vary between the cells of a sweep, and labels that show them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from pydantic import BaseModel

from sweep.grid import labels
from sweep.grid.blocks import NAMES, Once, OncePerSeeds, inert_in_blocks
from trainables.config import TrialConfig
from trainables.inert import inert_fields, is_within

FlatConfig = dict[str, str]
"""Dotted path -> value as text."""

_SHORT_NAMES = {"learning_rate": "lr", "student_blocks": "blocks", "student_width": "width", "batch_size": "batch"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")
_MAX_LENGTH = 24
_CELL_FIELDS: Any = dict.fromkeys((name for name in NAMES if name not in ("strategy", "init", "seed")), True)
_TEACHER_FIELDS: Any = {
    "model": {"family": True, "teacher": True, "revision": True, "finetune": True, "lora": {"teacher"}},
    "task": True,
    "dtype": True,
}


def varied_fields(configs: Sequence[TrialConfig]) -> list[str]:
    """The fields, besides strategy, init and seed, that vary between cells of one model and task.

    They follow the order of the axes, which the order of the grid shows: its last axis varies first.
    """
    return _Shared(_CELL_FIELDS).varied(configs)


def axis_values(configs: Mapping[str, TrialConfig], axes: Sequence[str]) -> dict[str, FlatConfig]:
    """The values of these fields in each config where they have an effect; empty where the config has no such field."""
    known = OncePerSeeds[FlatConfig]()

    def values(config: TrialConfig) -> FlatConfig:
        fields, inert = cell_fields(config), inert_fields(config)
        return {key: fields.get(key, "") for key in axes if not is_within(key, inert)}

    return {key: known.of(values, config) for key, config in configs.items()}


def cell_fields(config: TrialConfig) -> FlatConfig:
    """The fields that affect the cell, except strategy, init and seed, which its label names already."""
    return _merged(_Shared(_CELL_FIELDS).blocks(config))


def _merged(blocks: Iterable[FlatConfig]) -> FlatConfig:
    merged: FlatConfig = {}
    for block in blocks:
        merged.update(block)
    return merged


def every_field(configs: Sequence[TrialConfig]) -> list[FlatConfig]:
    """All fields that affect each cell; a strategy without parameters is one field."""
    shared, names = _Shared(_CELL_FIELDS), Once[str]()
    return [
        {
            "strategy": names.of(partial(labels.strategy_label, config.strategy), config.strategy),
            "init": config.init,
            "seed": str(config.seed),
            **_merged(shared.blocks(config)),
        }
        for config in configs
    ]


def cell_labels(configs: Mapping[str, TrialConfig]) -> dict[str, str]:
    """The label of each cell of a sweep, by fingerprint: `bert · sst2 · forward · random · s0 · lr=2e-4`.

    The label has no task if the sweep has only one.
    """
    return _labels(configs, with_seeds=True)


def group_labels(configs: Mapping[str, TrialConfig]) -> dict[str, str]:
    """The label of each group of a sweep, one config each: `bert · sst2 · forward · random · blocks=2`."""
    return _labels(configs, with_seeds=False)


def _labels(configs: Mapping[str, TrialConfig], *, with_seeds: bool) -> dict[str, str]:
    has_tasks = len({config.task.name for config in configs.values()}) > 1
    suffixes, groups = _Shared(_CELL_FIELDS).suffixes(configs), OncePerSeeds[str]()
    label = partial(labels.group_label, with_task=has_tasks)
    return {
        key: " · ".join([groups.of(label, config), *([f"s{config.seed}"] if with_seeds else []), *suffixes[key]])
        for key, config in configs.items()
    }


def short_labels(configs: Mapping[str, TrialConfig]) -> dict[str, str]:
    """What tells each cell of a sweep from the others, by fingerprint: `reverse · teacher · lr=1e-3`.

    Model, task and seed are left out where all cells have the same one.
    """
    suffixes = _Shared(_CELL_FIELDS).suffixes(configs)
    shared = {
        name
        for name, values in {
            "model": {config.model.name for config in configs.values()},
            "task": {config.task.name for config in configs.values()},
            "seed": {config.seed for config in configs.values()},
        }.items()
        if len(values) == 1
    }
    names = Once[str]()
    return {key: " · ".join([*_own_parts(config, shared, names), *suffixes[key]]) for key, config in configs.items()}


def _own_parts(config: TrialConfig, shared: set[str], names: Once[str]) -> list[str]:
    parts = {
        "model": config.model.name,
        "task": config.task.name,
        "strategy": names.of(partial(labels.strategy_label, config.strategy), config.strategy),
        "init": config.init,
        "seed": f"s{config.seed}",
    }
    return [text for name, text in parts.items() if name not in shared]


def teacher_labels(configs: Mapping[str, TrialConfig]) -> dict[str, str]:
    """The label of each teacher of a sweep, by hash: `bert · teacher · sst2 · epochs=3`.

    `configs` has the config of one cell per teacher.
    """
    suffixes = _Shared(_TEACHER_FIELDS).suffixes(configs)
    return {key: " · ".join([labels.teacher_label(config), *suffixes[key]]) for key, config in configs.items()}


def teacher_fields(config: TrialConfig) -> FlatConfig:
    """The fields that affect the cell's teacher."""
    return _merged(_Shared(_TEACHER_FIELDS).blocks(config))


class _Shared:
    """The flat fields of configs. Those of a block that configs share are one object, which is made once."""

    def __init__(self, included: Mapping[str, Any]) -> None:
        """`included`: block -> its fields that count, as pydantic's `include` takes them. The seed is none of them."""
        self._included = included
        self._place = {name: place for place, name in enumerate(included)}
        self._rows = OncePerSeeds[tuple[FlatConfig, ...]]()
        self._blocks = Once[FlatConfig]()

    def blocks(self, config: TrialConfig) -> tuple[FlatConfig, ...]:
        """The fields that have an effect, block by block."""
        return self._rows.of(self._row, config)

    def _row(self, config: TrialConfig) -> tuple[FlatConfig, ...]:
        inert = inert_in_blocks(config)
        return tuple(self._block(config, name, inert[name]) for name in self._included)

    def _block(self, config: TrialConfig, name: str, inert: frozenset[str]) -> FlatConfig:
        def flat() -> FlatConfig:
            fields = labels.flatten(config.model_dump(mode="json", include={name: self._included[name]}))
            return {key: value for key, value in fields.items() if not is_within(key, inert)}

        block = getattr(config, name)
        is_shared = isinstance(block, BaseModel)
        return self._blocks.of(flat, *([block] if is_shared else []), key=(name, inert if is_shared else block))

    def varied(self, configs: Sequence[TrialConfig]) -> list[str]:
        """The fields that vary between configs of one model and task, in the order of the axes."""
        groups: dict[tuple[str, str], list[TrialConfig]] = defaultdict(list)
        for config in configs:
            groups[config.model.name, config.task.name].append(config)
        places: dict[str, int] = {}
        for members in groups.values():
            for key, place in self._places(members).items():
                places[key] = min(place, places.get(key, place))
        return sorted(places, key=lambda key: -places[key])

    def _places(self, members: Sequence[TrialConfig]) -> dict[str, int]:
        """Each field that varies -> the place of the first value that differs, among those that have an effect."""
        paths_of = OncePerSeeds[frozenset[str]]()
        inert = [paths_of.of(inert_fields, config) for config in members]
        rows = [self.blocks(config) for config in members]
        distinct = {id(row): row for row in rows}.values()
        all_inert = set(inert)
        places: dict[str, int] = {}
        for key in dict.fromkeys(key for row in distinct for block in row for key in block):
            block = self._place[key.split(".")[0]]
            if len({row[block].get(key) for row in distinct}) == 1:
                continue
            without_effect = {paths: is_within(key, paths) for paths in all_inert}
            values = [row[block].get(key) for row, paths in zip(rows, inert, strict=True) if not without_effect[paths]]
            place = next((place for place, value in enumerate(values) if value != values[0]), None)
            if place is not None:
                places[key] = place
        return places

    def suffixes(self, configs: Mapping[str, TrialConfig]) -> dict[str, list[str]]:
        """The varied fields of each config as parts of a label: `lr=2e-4`."""
        names = axis_names(self.varied([*configs.values()]))
        parts = [(self._place[field.split(".")[0]], field, name) for field, name in names.items()]
        rows = {key: self.blocks(config) if parts else () for key, config in configs.items()}
        return {
            key: [f"{name}={short_value(row[block][field])}" for block, field, name in parts if field in row[block]]
            for key, row in rows.items()
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
