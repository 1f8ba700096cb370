"""pydantic's errors as lines of the form `field.path: got VALUE; EXPECTATION`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweep.spec.fields import guess, known_keys, known_paths
from sweep.spec.passwords import without_passwords
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
    "too_short": "{min_length} or more entries",
    "too_long": "at most {max_length} entries",
    "string_too_short": "a text that is not empty",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "literal_error": "{expected}",
}


class Fault(NamedTuple):
    """One validation error; its path is relative to the validated value."""

    path: Path
    message: str


def faults(error: ValidationError, value: Any, models: list[type[BaseModel]]) -> list[Fault]:
    """The errors of `value`, which should match one of the models: one per field, in field order."""
    by_path: dict[Path, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        by_path.setdefault(_path_in(value, detail), []).append(detail)
    inner = {path[:num] for path in by_path for num in range(len(path))}
    # A value that matches one branch of a union has its errors inside that branch, and a type error per other branch.
    relevant = {path: details for path, details in by_path.items() if path not in inner or not _all_types(details)}
    return [_fault(path, details, models) for path, details in relevant.items()]


def _path_in(value: Any, detail: ErrorDetails) -> Path:
    """The error's path without pydantic's names of union branches."""
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
    kind, got = detail["type"], quote(detail["input"])
    if kind == "missing":
        return Fault(path, NEEDED)
    if kind == "extra_forbidden":
        return Fault(path, f"got an unknown key; {_guess(path, models)}")
    if kind == "value_error":
        return _validator_fault(path, str(detail.get("ctx", {})["error"]), got, known_keys(models, path))
    expected = " or ".join(dict.fromkeys(map(_expectation, details)))
    return Fault(path, f"got {got}; expected {expected}")


def _expectation(detail: ErrorDetails) -> str:
    """What would be right; for a constraint that only a plug-in has, in pydantic's words."""
    known = _EXPECTED.get(detail["type"])
    return known.format(**detail.get("ctx", {})) if known else detail["msg"].removeprefix("Input should be ")


def _guess(path: Path, models: list[type[BaseModel]]) -> str:
    *block, key = path
    return guess(str(key), known_keys(models, block), known_paths(models, block))


def _validator_fault(path: Path, message: str, got: str, keys: list[str]) -> Fault:
    """The fault of a validator's own message, which may name a field of the value first: `field: …`."""
    field = re.match(r"(\w+): ", message)
    if field and field[1] in keys:
        return Fault((*path, field[1]), message[field.end() :])
    return Fault(path, f"got {got}; {message}")


def quote(value: Any) -> str:
    """A value on one line for a message: simple values as in YAML, without passwords, long text cut."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = without_passwords(" ".join(repr(value).split()))
    return text if len(text) <= 80 else text[:77] + "..."


def dotted(path: Path) -> str:
    """`("axes", "init", 1)` as `axes.init[1]`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def is_same_field(one: str, other: str) -> bool:
    """Whether two paths, as the user wrote them, are equal or one lies below the other."""
    short, long = sorted((one, other), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}["))


def problems(faults: list[Fault], where: Callable[[Path], str] = dotted) -> list[Problem]:
    """The faults as problems, with the paths that the user wrote."""
    return [Problem(where(fault.path), fault.message) for fault in faults]
