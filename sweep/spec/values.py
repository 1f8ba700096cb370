"""The values of a trial config's fields, each read once: the valid value, or what is wrong with it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter

from sweep.spec.fields import known_keys, models_in
from sweep.spec.messages import Fault, Path
from sweep.spec.overlay import opened
from sweep.spec.partly import read_partly
from trainables.config import TrialConfig
from trainables.strategies import STRATEGIES

TRIAL_FIELDS = TrialConfig.model_fields
_SOURCES: dict[str, set[Path]] = {
    "model": {("teacher",), ("revision",), ("shape",)},
    "task": {("files",), ("generated",), ("hub",), ("splits",)},
}
_ADAPTERS = {name: TypeAdapter[Any](info.rebuild_annotation()) for name, info in TRIAL_FIELDS.items()}


class Values:
    """Reads fields and remembers them: a grid has few values and many cells."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[Any, list[Fault]]] = {}

    def read(self, fields: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """The valid ones among the known fields, defaults for those not given, and the faults.

        A field is read without what is wrong in it, so that the rest of it is checked.
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
            fields = opened(name, given) if isinstance(given, str) else given
            models = _models(name, fields)
            whole = fields or given

            def validate(rest: Any) -> Any:  # messages show what was given: a name, not what it stands for
                return _ADAPTERS[name].validate_python(given if rest is whole else rest, strict=True)

            value, found = read_partly(validate, whole, models)
            misleads = any(_is_source(name, fault.path, models) for fault in found)
            self._read[key] = None if misleads else value, found
        return self._read[key]


def _is_source(name: str, path: Path, models: list[type[BaseModel]]) -> bool:
    """Whether the path is a known key that says which data or teacher is meant: without it, others would be checked."""
    return path[:1] in _SOURCES.get(name, ()) and path[-1] in known_keys(models, path[:-1])


def _models(name: str, fields: Any) -> list[type[BaseModel]]:
    """The models that the field's value is to be one of; a strategy's by its kind."""
    kind = fields.get("kind") if isinstance(fields, dict) else None
    if name == "strategy" and kind in STRATEGIES:
        return [STRATEGIES[kind]]
    return models_in(TRIAL_FIELDS[name].annotation)
