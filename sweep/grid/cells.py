"""Expands the base and axes of a sweep into cells, without side effects.

Each value of a field is checked by itself, so that all problems are reported even if no cell is valid.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from pydantic import BaseModel

from sweep.grid.axes import axis_problems
from sweep.grid.blocks import NAMES, Once, OncePerSeeds, inert_in_blocks
from sweep.grid.fingerprint import canonical
from sweep.grid.parts import Part, parts, seed_problems
from sweep.spec.baselines import Baseline
from sweep.spec.fields import guess
from sweep.spec.messages import NEEDED, Fault, Path, quote
from sweep.spec.overlay import assign
from sweep.spec.sweep import SweepConfig
from sweep.spec.values import TRIAL_FIELDS, Values
from trainables.config import TrialConfig
from trainables.errors import Problem
from trainables.inert import at_defaults
from trainables.strategies import NoMatching

_REQUIRED = {name for name, info in TRIAL_FIELDS.items() if info.is_required()}


class Arm(NoMatching, frozen=True):
    """What tables call a baseline in place of its strategy, which is `none`."""

    kind: Any = ""


@dataclass(frozen=True)
class Cell:
    """One point of the grid with its hashes; the dtype of its config is resolved."""

    config: TrialConfig
    data: str
    teacher_hash: str
    fingerprint: str
    baseline: Baseline | None = None
    origin: TrialConfig | None = None
    """Of a baseline, the cell of `none` that it stands beside; it differs from it in what no axis varies."""

    @property
    def shown(self) -> TrialConfig:
        """The config by which tables, labels and tags name the cell: a baseline has its own name as its strategy."""
        if self.origin is None:
            return self.config
        return self.origin.model_copy(update={"strategy": Arm(kind=self.baseline)})


@dataclass(frozen=True)
class Draft:
    """One point of the grid, perhaps invalid: its valid fields, and its config if all fields are valid."""

    part: Part
    picks: dict[str, int]
    fields: dict[str, Any]
    valid: dict[str, Any]
    config: TrialConfig | None

    def where(self, path: Path) -> str:
        """Where the user wrote the field at this path of the trial config."""
        return self.part.field_path(path, self.picks)


def draft(config: SweepConfig) -> tuple[list[Draft], list[Problem]]:
    """The distinct points of the grid, valid or not, and every problem of base, axes and grids."""
    values, keys = Values(), _Keys()
    drafts: dict[Hashable, Draft] = {}
    problems = seed_problems(config)
    for part in parts(config):
        invalid_axes, axes = axis_problems(part)
        points, fields = _points(part, invalid_axes, values, keys)
        problems += axes + fields + _base_problems(part)
        for point in points.values():
            drafts.setdefault(keys.of_effect(point), point)
    return list(drafts.values()), list(dict.fromkeys(problems))


def _points(
    part: Part, invalid_axes: set[str], values: Values, keys: _Keys
) -> tuple[dict[Hashable, Draft], list[Problem]]:
    """The distinct points of one part and the problems of their fields."""
    axes = {key: choices for key, choices in part.axes.items() if key not in invalid_axes}
    blocks = _Blocks(part, list(axes), values)
    absent = _REQUIRED - invalid_axes
    points: dict[Hashable, Draft] = {}
    problems: list[Problem] = []
    for indices in product(*(range(len(choices)) for choices in axes.values())):
        point, point_problems = _point(part, dict(zip(axes, indices, strict=True)), absent, blocks)
        first = points.setdefault(keys.of_config(point), point)
        if first is not point:
            point_problems.append(_duplicate(point, first))
        problems += point_problems
    return points, problems


def _point(part: Part, picks: dict[str, int], needed: set[str], blocks: _Blocks) -> tuple[Draft, list[Problem]]:
    """One point; `needed` are the required fields, but for those that an invalid axis would give."""
    chosen = [blocks.of(name, picks) for name in blocks.names]
    fields = {**part.base, **{name: block.value for name, block in chosen if block.is_there}}
    valid = {name: block.valid for name, block in chosen if block.is_valid}
    conflicts = {key: problem for _, block in chosen for key, problem in block.conflicts.items()}
    problems = [conflicts[key] for key in blocks.order if key in conflicts]
    problems += [
        Problem(part.field_path((name, *fault.path), picks), fault.message)
        for name, block in chosen
        for fault in block.faults
    ]
    problems += [Problem(part.base_path((name,)), NEEDED) for name in sorted(needed - fields.keys())]
    is_valid = not problems and not _REQUIRED - valid.keys()
    return Draft(part, picks, fields, valid, TrialConfig(**valid) if is_valid else None), problems


class _Block(NamedTuple):
    """A top-level field of a point: what the user gave, what is valid of it, and its faults."""

    is_there: bool
    value: Any
    is_valid: bool
    valid: Any
    faults: list[Fault]
    conflicts: dict[str, Problem]
    """Axis -> its problem, if it sets a key inside a field without keys."""


class _Blocks:
    """The top-level fields of a part's points; each is read once per combination of the axes that set it."""

    def __init__(self, part: Part, axes: Sequence[str], values: Values) -> None:
        self._part, self._values = part, values
        self.order = sorted(axes, key=lambda key: key.count("."))
        """A field is set before the keys inside it."""
        self._axes = {name: [key for key in self.order if key.split(".")[0] == name] for name in TRIAL_FIELDS}
        self.names = list(TRIAL_FIELDS)
        self._known: dict[tuple[Hashable, ...], tuple[str, _Block]] = {}

    def of(self, name: str, picks: Mapping[str, int]) -> tuple[str, _Block]:
        """The name of a field and the field at the point with these axis values."""
        place = (name, *(picks[key] for key in self._axes[name]))
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = (name, self._read(name, picks))
        return known

    def _read(self, name: str, picks: Mapping[str, int]) -> _Block:
        fields = {name: self._part.base[name]} if name in self._part.base else {}
        conflicts: dict[str, Problem] = {}
        for key in self._axes[name]:
            try:
                fields = assign(fields, key.split("."), self._part.axes[key][picks[key]])
            except KeyError as error:
                message = f"got a key inside {error.args[0]}, which has no keys"
                conflicts[key] = Problem(self._part.axis_path(key), message)
        valid, faults = self._values.read_one(name, fields)
        return _Block(name in fields, fields.get(name), name in valid, valid.get(name), faults, conflicts)


class _Keys:
    """Keys by which points with equal configs, or with configs of equal effect, are known."""

    def __init__(self) -> None:
        self._configs, self._effects = OncePerSeeds[Hashable](), OncePerSeeds[Hashable]()
        self._texts = Once[str]()

    def of_config(self, point: Draft) -> Hashable:
        """A key that is equal for points with equal configs."""
        if point.config is None:
            return repr(sorted({**point.fields, **point.valid}.items()))
        return self._configs.of(lambda config: self._key(config, {}), point.config), canonical(point.config.seed)

    def of_effect(self, point: Draft) -> Hashable:
        """A key that is equal for points that differ only in fields without an effect."""
        if point.config is None:
            return self.of_config(point)
        effect = self._effects.of(lambda config: self._key(config, inert_in_blocks(config)), point.config)
        return effect, canonical(point.config.seed)

    def _key(self, config: TrialConfig, inert: Mapping[str, frozenset[str]]) -> Hashable:
        return tuple(self._text(config, name, inert.get(name, frozenset())) for name in NAMES if name != "seed")

    def _text(self, config: TrialConfig, name: str, inert: frozenset[str]) -> str:
        block = getattr(config, name)
        if not isinstance(block, BaseModel):
            return canonical(block)

        def text() -> str:
            return canonical(getattr(at_defaults(config, sorted(inert)), name).model_dump(mode="json"))

        return self._texts.of(text, block, key=inert)


def _duplicate(point: Draft, first: Draft) -> Problem:
    """The problem of a cell that repeats within one part: an axis has a value twice, perhaps spelt differently."""
    key, index = next((key, index) for key, index in point.picks.items() if first.picks[key] != index)
    value = f"got {quote(point.part.axes[key][index])} again (first at [{first.picks[key]}])"
    return Problem(f"{point.part.axis_path(key)}[{index}]", f"{value}; give each value once")


def _base_problems(part: Part) -> list[Problem]:
    """Unknown keys of the base, and base fields that a part sweep would drop by naming a model or task."""
    unknown = [
        Problem(part.base_path((key,)), f"got an unknown key; {guess(key, TRIAL_FIELDS)}")
        for key in part.base
        if key not in TRIAL_FIELDS
    ]
    # A mapping with a name is complete and may be replaced; one without a name is meant to change another mapping.
    dropped = [
        Problem(f"base.{key}", f"got fields without a name beside {part.base_path((key,))}: {name}; move them there")
        for key in ("model", "task")
        if isinstance(name := part.own.base.get(key), str)
        and isinstance(below := part.inherited.get(key), dict)
        and "name" not in below
    ]
    return unknown + dropped
