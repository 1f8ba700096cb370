"""The values of a trial config's fields, each read once: the valid value, or what is wrong with it."""

from __future__ import annotations

import copy
import operator
from functools import reduce
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from sweep.spec.fields import models_in
from sweep.spec.messages import Fault, faults
from sweep.spec.overlay import opened
from trainables.config import TrialConfig
from trainables.strategies import STRATEGIES

TRIAL_FIELDS = TrialConfig.model_fields
_ADAPTERS = {name: TypeAdapter[Any](info.rebuild_annotation()) for name, info in TRIAL_FIELDS.items()}


class Values:
    """Reads fields and remembers them: a grid has few values and many cells."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[Any, list[Fault]]] = {}

    def read(self, fields: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """The valid ones among the known fields, defaults for those not given, and the faults.

        A field that is valid but for keys that nobody knows is read without them, so that the rest of it is checked.
        """
        valid: dict[str, Any] = {}
        found: list[Fault] = []
        for name, info in TRIAL_FIELDS.items():
            if name not in fields:
                valid |= {} if info.is_required() else {name: info.get_default()}
                continue
            value, wrong = self._one(name, fields[name])
            found += [Fault((name, *fault.path), fault.message) for fault in wrong]
            valid |= {} if value is None and wrong else {name: value}
        return valid, found

    def _one(self, name: str, given: Any) -> tuple[Any, list[Fault]]:
        key = f"{name}={given!r}"
        if key not in self._read:
            try:
                self._read[key] = _ADAPTERS[name].validate_python(given, strict=True), []
            except ValidationError as error:
                fields = opened(name, given) if isinstance(given, str) else given
                known = _known_part(name, given, error)
                self._read[key] = known, faults(error, fields or given, _models(name, fields))
        return self._read[key]


def _known_part(name: str, given: Any, error: ValidationError) -> Any:
    """The value without its unknown keys, where these are all that is wrong with it; else None."""
    if not isinstance(given, dict) or any(each["type"] != "extra_forbidden" for each in error.errors()):
        return None
    known: Any = copy.deepcopy(given)
    try:
        for *path, last in (each["loc"] for each in error.errors()):
            del reduce(operator.getitem, path, known)[last]
        return _ADAPTERS[name].validate_python(known, strict=True)
    except (LookupError, TypeError, ValidationError):  # the place of an error in a union names the branch too
        return None


def _models(name: str, fields: Any) -> list[type[BaseModel]]:
    """The models that the field's value is to be one of; a strategy's by its kind."""
    kind = fields.get("kind") if isinstance(fields, dict) else None
    if name == "strategy" and kind in STRATEGIES:
        return [STRATEGIES[kind]]
    return models_in(TRIAL_FIELDS[name].annotation)
