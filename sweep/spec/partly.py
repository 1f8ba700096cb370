"""A mapping read as far as it is sound: what is wrong in it is left out, so that it hides nothing else."""

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
    validate: Callable[[Any], T], given: Any, models: list[type[BaseModel]]
) -> tuple[T | None, list[Fault]]:
    """What `validate` makes of the value without the keys that are wrong, and every fault.

    A key that is left out has its default; None where the rest is no value of the models either. Left out again and
    again: pydantic checks how fields stand to each other only where each of them is right.
    """
    found: list[Fault] = []
    while True:
        try:
            return validate(given), found
        except ValidationError as error:
            new = [fault for fault in faults(error, given, models) if not is_about(fault.path, found)]
        found += new
        try:
            given = _without(given, [fault.path for fault in new])
        except (LookupError, TypeError):
            return None, found
        if not new:
            return None, found


def is_about(path: Path, found: Iterable[Fault]) -> bool:
    """Whether one of the faults is at the path, above it or below it."""
    return any(path[: len(fault.path)] == fault.path[: len(path)] for fault in found)


def _without(given: Any, paths: Iterable[Path]) -> Any:
    """A copy without the keys at the paths; of a list the whole. Raises LookupError or TypeError where one has none."""
    rest = copy.deepcopy(given)
    for path in paths:
        keys = [*takewhile(lambda key: isinstance(key, str), path)]
        del reduce(operator.getitem, keys[:-1], rest)[keys[-1]]
    return rest
