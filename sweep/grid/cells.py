"""The grid: base and axes of a sweep to its cells. Pure.

A field is checked for each of its values, so that every problem of a sweep is found even where no cell is sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from sweep.grid.axes import axis_problems
from sweep.grid.fingerprint import canonical
from sweep.grid.parts import Part, parts
from sweep.spec.fields import guess
from sweep.spec.messages import NEEDED, Path, shown
from sweep.spec.overlay import assign
from sweep.spec.sweep import SweepConfig
from sweep.spec.values import TRIAL_FIELDS, Values
from trainables.config import TrialConfig
from trainables.errors import InputError, Problem
from trainables.inert import without_inert

_REQUIRED = {name for name, info in TRIAL_FIELDS.items() if info.is_required()}


@dataclass(frozen=True)
class Cell:
    """One point of the grid with its identity; its config's dtype is resolved."""

    config: TrialConfig
    data: str
    teacher_hash: str
    fingerprint: str


@dataclass(frozen=True)
class Draft:
    """One point of the grid as far as it is sound: its valid fields, and all of it where nothing is wrong."""

    part: Part
    picks: dict[str, int]
    fields: dict[str, Any]
    valid: dict[str, Any]
    config: TrialConfig | None

    def where(self, path: Path) -> str:
        """Where the user wrote the field at this path of the trial config."""
        return self.part.written(path, self.picks)


def expand(config: SweepConfig) -> list[TrialConfig]:
    """The sweep's cells, each once, in the order of the axes. Raises InputError with every problem."""
    drafts, found = draft(config)
    if found:
        raise InputError(found)
    return [each.config for each in drafts if each.config is not None]


def draft(config: SweepConfig) -> tuple[list[Draft], list[Problem]]:
    """All distinct points of the grid as far as they are sound, and every problem of base, axes and grids."""
    values = Values()
    drafts: dict[str, Draft] = {}
    found: list[Problem] = []
    for part in parts(config):
        unsound, problems = axis_problems(part)
        points, faults = _points(part, unsound, values)
        found += problems + faults + _base_problems(part)
        for point in points.values():
            drafts.setdefault(_numbers(point), point)
    return list(drafts.values()), list(dict.fromkeys(found))


def _points(part: Part, unsound: set[str], values: Values) -> tuple[dict[str, Draft], list[Problem]]:
    """The points of one part, each once."""
    axes = {key: given for key, given in part.axes.items() if key not in unsound}
    points: dict[str, Draft] = {}
    found: list[Problem] = []
    for indices in product(*(range(len(given)) for given in axes.values())):
        picks = dict(zip(axes, indices, strict=True))
        point, problems = _point(part, picks, unsound, values)
        first = points.setdefault(_identity(point), point)
        if first is not point:
            problems.append(_twice(point, first))
        found += problems
    return points, found


def _point(part: Part, picks: dict[str, int], unsound: set[str], values: Values) -> tuple[Draft, list[Problem]]:
    fields = part.base
    found: list[Problem] = []
    # Whole fields before what is inside of them.
    for key in sorted(picks, key=lambda key: key.count(".")):
        try:
            fields = assign(fields, key.split("."), part.axes[key][picks[key]])
        except KeyError as error:
            found.append(Problem(part.axis_path(key), f"got a key inside of {error.args[0]}, which holds no keys"))
    valid, faults = values.read(fields)
    found += [Problem(part.written(fault.path, picks), fault.message) for fault in faults]
    missing = sorted(_REQUIRED - fields.keys() - unsound)
    found += [Problem(part.base_path((name,)), NEEDED) for name in missing]
    is_sound = not found and not _REQUIRED - valid.keys()
    return Draft(part, picks, fields, valid, TrialConfig(**valid) if is_sound else None), found


def _identity(point: Draft) -> str:
    """Equal for points that are written alike."""
    if point.config is not None:
        return canonical(point.config.model_dump(mode="json"))
    return repr(sorted({**point.fields, **point.valid}.items()))


def _numbers(point: Draft) -> str:
    """Equal for points that differ at most in fields without an effect."""
    return canonical(without_inert(point.config).model_dump(mode="json")) if point.config else _identity(point)


def _twice(point: Draft, first: Draft) -> Problem:
    """The same cell again within one part: some axis has a value twice, maybe in another spelling."""
    key, index = next((key, index) for key, index in point.picks.items() if first.picks[key] != index)
    again = f"got {shown(point.part.axes[key][index])} again (first at [{first.picks[key]}])"
    return Problem(f"{point.part.axis_path(key)}[{index}]", f"{again}; give each value once")


def _base_problems(part: Part) -> list[Problem]:
    """Keys of the base that are no fields, and fields that a part sweep's named model or task would drop."""
    unknown = [
        Problem(part.base_path((key,)), f"got an unknown key; {guess(key, TRIAL_FIELDS)}")
        for key in part.base
        if key not in TRIAL_FIELDS
    ]
    # A mapping with a name is a whole that may be replaced; one without is meant to change another.
    dropped = [
        Problem(f"base.{key}", f"got fields without a name beside {part.base_path((key,))}: {name}; give them there")
        for key in ("model", "task")
        if isinstance(name := part.own.base.get(key), str)
        and isinstance(below := part.inherited.get(key), dict)
        and "name" not in below
    ]
    return unknown + dropped
