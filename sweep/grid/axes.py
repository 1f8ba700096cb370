"""Checks each axis by itself: its name, its values, and conflicts with the base."""

from __future__ import annotations

from typing import Any

from sweep.grid.parts import Part
from sweep.spec.fields import guess, guess_axis, is_field
from sweep.spec.messages import quote
from sweep.spec.values import TRIAL_FIELDS
from trainables.errors import Problem


def axis_problems(part: Part) -> tuple[set[str], list[Problem]]:
    """The invalid axes, and every problem of the part's axes."""
    invalid = {key for key, values in part.axes.items() if not is_field(key) or not values}
    problems: list[Problem] = []
    for key, values in part.axes.items():
        path = part.axis_path(key)
        if not is_field(key):
            problems.append(Problem(path, f"got an axis that is not a field; {_guess(key)}"))
        elif not values:
            problems.append(Problem(path, "got []; give at least one value"))
        problems += duplicates(path, values) + _base_conflicts(part, key)
    return invalid, problems


def _guess(key: str) -> str:
    similar = guess_axis(key)
    return f"did you mean axes.{similar}?" if similar else guess(key, TRIAL_FIELDS)


def duplicates(path: str, values: list[Any]) -> list[Problem]:
    first: dict[str, int] = {}
    problems: list[Problem] = []
    for index, value in enumerate(values):
        if first.setdefault(repr(value), index) != index:
            message = f"got {quote(value)} again (first at [{first[repr(value)]}]); give each value once"
            problems.append(Problem(f"{path}[{index}]", message))
    return problems


def _base_conflicts(part: Part, key: str) -> list[Problem]:
    """Base fields that no cell would have, because the axis replaces the mapping that contains them."""
    value: Any = part.base
    for step in key.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not value or key == "strategy":
        return []
    inside = f"{part.axis_path(key)}.{next(iter(value))}"
    message = (
        f"got fields beside {part.axis_path(key)}, which replaces all of them; give them as axes, such as {inside}"
    )
    return [Problem(part.base_path(tuple(key.split("."))), message)]
