"""Validates the values of trial config fields, each distinct value once."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter

from sweep.spec.fields import known_keys, models_in
from sweep.spec.messages import Fault, Path
from sweep.spec.overlay import as_mapping
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
    """Validates fields and caches the results, because a grid has few values and many cells."""

    def __init__(self) -> None:
        self._cache: dict[str, tuple[Any, list[Fault]]] = {}

    def read(self, fields: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """The valid known fields, with defaults for absent ones, and the faults.

        A field keeps its valid keys where others are invalid, so that these keys are checked too.
        """
        valid: dict[str, Any] = {}
        faults: list[Fault] = []
        for name in TRIAL_FIELDS:
            own, its_faults = self.read_one(name, fields)
            valid |= own
            faults += [Fault((name, *fault.path), fault.message) for fault in its_faults]
        return valid, faults

    def read_one(self, name: str, fields: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """The same for one of the known fields; the paths of its faults are relative to it."""
        if name not in fields:
            info = TRIAL_FIELDS[name]
            return {} if info.is_required() else {name: info.get_default()}, []
        value, faults = self._one(name, fields[name])
        return {} if value is None and faults else {name: value}, faults

    def _one(self, name: str, value: Any) -> tuple[Any, list[Fault]]:
        key = f"{name}={value!r}"
        if key not in self._cache:
            fields = as_mapping(name, value) if isinstance(value, str) else value
            models = _models(name, fields)
            whole = fields or value

            def validate(rest: Any) -> Any:  # messages show the name that the user wrote, not its mapping
                return _ADAPTERS[name].validate_python(value if rest is whole else rest, strict=True)

            result, faults = read_partly(validate, whole, models)
            is_misleading = any(_is_source(name, fault.path, models) for fault in faults)
            self._cache[key] = None if is_misleading else result, faults
        return self._cache[key]


def _is_source(name: str, path: Path, models: list[type[BaseModel]]) -> bool:
    """Whether the path is a known key that selects the data or teacher; without it, the wrong ones would be checked."""
    return path[:1] in _SOURCES.get(name, ()) and path[-1] in known_keys(models, path[:-1])


def _models(name: str, fields: Any) -> list[type[BaseModel]]:
    """The models that the field's value may match; for a strategy, the one of its kind."""
    kind = fields.get("kind") if isinstance(fields, dict) else None
    if name == "strategy" and kind in STRATEGIES:
        return [STRATEGIES[kind]]
    return models_in(TRIAL_FIELDS[name].annotation)
