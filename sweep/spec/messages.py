"""pydantic's errors as lines of the form `field.path: got VALUE; what would be right`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweep.spec.fields import guess, known_keys
from sweep.spec.passwords import hidden
from trainables.errors import Problem

Path = tuple[str | int, ...]

NEEDED = "got nothing; this key is needed"

_EXPECTED = {
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "a text that is not empty",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "literal_error": "one of {expected}",
}


class Fault(NamedTuple):
    """One error, its path below the value that was validated."""

    path: Path
    message: str


def faults(error: ValidationError, value: Any, models: list[type[BaseModel]]) -> list[Fault]:
    """The errors of `value`, which was to be one of the models: one a field, in the order of the fields."""
    found: dict[Path, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_path_in(value, detail), []).append(detail)
    inner = {path[:num] for path in found for num in range(len(path))}
    # A value that fits one branch of a union but for its inside has errors there, and one for each other branch.
    shown = {path: details for path, details in found.items() if path not in inner or not _all_types(details)}
    return [_fault(path, details, models) for path, details in shown.items()]


def _path_in(value: Any, detail: ErrorDetails) -> Path:
    """The error's path without the names that pydantic gives to the branches of a union."""
    path: list[str | int] = []
    for num, key in enumerate(detail["loc"], start=1):
        if isinstance(value, dict) and (key in value or (detail["type"] == "missing" and num == len(detail["loc"]))):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int):
            value = value[key]
        else:
            continue
        path.append(key)
    return tuple(path)


def _all_types(details: list[ErrorDetails]) -> bool:
    return all(detail["type"].endswith("_type") for detail in details)


def _fault(path: Path, details: list[ErrorDetails], models: list[type[BaseModel]]) -> Fault:
    detail = details[0]
    kind, got = detail["type"], shown(detail["input"])
    if kind == "missing":
        return Fault(path, NEEDED)
    if kind == "extra_forbidden":
        return Fault(path, f"got an unknown key; {guess(str(path[-1]), known_keys(models, path[:-1]))}")
    if kind == "value_error":
        return _raised(path, str(detail.get("ctx", {})["error"]), got, known_keys(models, path))
    expected = " or ".join(
        dict.fromkeys(
            _EXPECTED[each["type"]].format(**each.get("ctx", {})) if each["type"] in _EXPECTED else each["msg"]
            for each in details
        )
    )
    return Fault(path, f"got {got}; {expected}")


def _raised(path: Path, message: str, got: str, keys: list[str]) -> Fault:
    """A validator's own words; `field: …` at their start names a field of the value."""
    field = re.match(r"(\w+): ", message)
    if field and field[1] in keys:
        return Fault((*path, field[1]), message[field.end() :])
    return Fault(path, f"got {got}; {message}")


def shown(value: Any) -> str:
    """A given value on one line, as YAML writes the simple ones; passwords hidden, long ones cut."""
    plain = {None: "null", True: "true", False: "false"}
    text = plain[value] if value is None or isinstance(value, bool) else hidden(" ".join(repr(value).split()))
    return text if len(text) <= 80 else text[:77] + "..."


def dotted(path: Path) -> str:
    """`("axes", "init", 1)` as `axes.init[1]`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def is_same_field(one: str, other: str) -> bool:
    """Whether one of two paths as the user wrote them is the other, or below it."""
    short, long = sorted((one, other), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}["))


def problems(found: list[Fault], where: Callable[[Path], str] = dotted) -> list[Problem]:
    """The faults, each with its path as the user wrote it."""
    return [Problem(where(fault.path), fault.message) for fault in found]
