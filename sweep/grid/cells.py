"""Expands the base and axes of a sweep into cells, without side effects.

Each value of a field is checked by itself, so that all problems are reported even if no cell is valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from sweep.grid.axes import axis_problems
from sweep.grid.fingerprint import canonical
from sweep.grid.parts import Part, parts, seed_problems
from sweep.spec.baselines import Baseline
from sweep.spec.fields import guess
from sweep.spec.messages import NEEDED, Path, quote
from sweep.spec.overlay import assign
from sweep.spec.sweep import SweepConfig
from sweep.spec.values import TRIAL_FIELDS, Values
from trainables.config import TrialConfig
from trainables.errors import Problem
from trainables.inert import without_inert
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
    values = Values()
    drafts: dict[str, Draft] = {}
    problems = seed_problems(config)
    for part in parts(config):
        invalid_axes, axes = axis_problems(part)
        points, fields = _points(part, invalid_axes, values)
        problems += axes + fields + _base_problems(part)
        for point in points.values():
            drafts.setdefault(_effect_key(point), point)
    return list(drafts.values()), list(dict.fromkeys(problems))


def _points(part: Part, invalid_axes: set[str], values: Values) -> tuple[dict[str, Draft], list[Problem]]:
    """The distinct points of one part and the problems of their fields."""
    axes = {key: choices for key, choices in part.axes.items() if key not in invalid_axes}
    points: dict[str, Draft] = {}
    problems: list[Problem] = []
    for indices in product(*(range(len(choices)) for choices in axes.values())):
        picks = dict(zip(axes, indices, strict=True))
        point, point_problems = _point(part, picks, invalid_axes, values)
        first = points.setdefault(_config_key(point), point)
        if first is not point:
            point_problems.append(_duplicate(point, first))
        problems += point_problems
    return points, problems


def _point(part: Part, picks: dict[str, int], invalid_axes: set[str], values: Values) -> tuple[Draft, list[Problem]]:
    fields = part.base
    problems: list[Problem] = []
    # A field is set before the keys inside it.
    for key in sorted(picks, key=lambda key: key.count(".")):
        try:
            fields = assign(fields, key.split("."), part.axes[key][picks[key]])
        except KeyError as error:
            problems.append(Problem(part.axis_path(key), f"got a key inside {error.args[0]}, which has no keys"))
    valid, faults = values.read(fields)
    problems += [Problem(part.field_path(fault.path, picks), fault.message) for fault in faults]
    missing = sorted(_REQUIRED - fields.keys() - invalid_axes)
    problems += [Problem(part.base_path((name,)), NEEDED) for name in missing]
    is_valid = not problems and not _REQUIRED - valid.keys()
    return Draft(part, picks, fields, valid, TrialConfig(**valid) if is_valid else None), problems


def _config_key(point: Draft) -> str:
    """A key that is equal for points with equal configs."""
    if point.config is not None:
        return canonical(point.config.model_dump(mode="json"))
    return repr(sorted({**point.fields, **point.valid}.items()))


def _effect_key(point: Draft) -> str:
    """A key that is equal for points that differ only in fields without an effect."""
    return canonical(without_inert(point.config).model_dump(mode="json")) if point.config else _config_key(point)


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
