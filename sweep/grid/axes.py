"""What can be wrong with an axis by itself: its name, its values, and what the base says of the same field."""

from __future__ import annotations

from typing import Any

from sweep.grid.parts import Part
from sweep.spec.fields import guess, is_field, nearest, trial_fields
from sweep.spec.messages import shown
from sweep.spec.values import TRIAL_FIELDS
from trainables.errors import Problem


def axis_problems(part: Part) -> tuple[set[str], list[Problem]]:
    """The axes that cannot be spread, and every problem of the part's axes."""
    unsound = {key for key, values in part.axes.items() if not is_field(key) or not values}
    found: list[Problem] = []
    for key, values in part.axes.items():
        path = part.axis_path(key)
        if not is_field(key):
            found.append(Problem(path, f"got an axis that is no field; {_guess(key)}"))
        elif not values:
            found.append(Problem(path, "got []; at least one value"))
        found += _repeated(path, values) + _replaced(part, key)
    return unsound, found


def _guess(key: str) -> str:
    last = key.rsplit(".", 1)[-1]
    known = trial_fields()
    alike = nearest(key, known) or next((name for name in known if name.rsplit(".", 1)[-1] == last), None)
    return f"did you mean axes.{alike}?" if alike else guess(key, TRIAL_FIELDS)


def _repeated(path: str, values: list[Any]) -> list[Problem]:
    first: dict[str, int] = {}
    found: list[Problem] = []
    for index, value in enumerate(values):
        if first.setdefault(repr(value), index) != index:
            again = f"got {shown(value)} again (first at [{first[repr(value)]}]); give each value once"
            found.append(Problem(f"{path}[{index}]", again))
    return found


def _replaced(part: Part, key: str) -> list[Problem]:
    """Fields of the base that no cell would have, because the axis gives the whole mapping around them."""
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
