"""Partial validation: invalid keys are dropped, so that one error does not hide another."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterable
from functools import reduce
from itertools import takewhile
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sweep.spec.messages import Fault, Path, faults

T = TypeVar("T")


def read_partly(
    validate: Callable[[Any], T], value: Any, models: list[type[BaseModel]]
) -> tuple[T | None, list[Fault]]:
    """Validates the value without its invalid keys; returns the result and every fault.

    A dropped key gets its default. The result is None if the rest is still invalid. Dropping repeats, because pydantic
    checks relations between fields only once each field is valid.
    """
    all_faults: list[Fault] = []
    while True:
        try:
            return validate(value), all_faults
        except ValidationError as error:
            new = [fault for fault in faults(error, value, models) if not is_about(fault.path, all_faults)]
        all_faults += new
        try:
            value = _without(value, [fault.path for fault in new])
        except (LookupError, TypeError):
            return None, all_faults
        if not new:
            return None, all_faults


def is_about(path: Path, faults: Iterable[Fault]) -> bool:
    """Whether one of the faults lies at, above or below the path."""
    return any(path[: len(fault.path)] == fault.path[: len(path)] for fault in faults)


def _without(value: Any, paths: Iterable[Path]) -> Any:
    """A copy without the keys at the paths; a path into a list removes the whole list.

    Raises LookupError or TypeError if the value has no such key.
    """
    rest = copy.deepcopy(value)
    for path in paths:
        keys = [*takewhile(lambda key: isinstance(key, str), path)]
        del reduce(operator.getitem, keys[:-1], rest)[keys[-1]]
    return rest
