"""The fields of the trial config by dotted path, and suggestions for a misspelled name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from trainables.config import TrialConfig
from trainables.strategies import STRATEGIES, Strategy


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The config models that a field's annotation allows; for the strategy field, all strategies."""
    if annotation is Strategy:
        return list(STRATEGIES.values())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def known_keys(models: Iterable[type[BaseModel]], path: Iterable[str | int]) -> list[str]:
    """The keys that the models define at the path; empty where any key is allowed or the value is no mapping."""
    models = list(models)
    for key in path:
        fields = [model.model_fields[str(key)] for model in models if key in model.model_fields]
        models = [inner for field in fields for inner in models_in(field.annotation)]
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def _is_free(annotation: Any) -> bool:
    return get_origin(annotation) is dict


def _paths(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, bool]]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}", _is_free(field.annotation)
        for inner in models_in(field.annotation):
            yield from _paths(inner, f"{prefix}{name}.")


def trial_fields() -> dict[str, bool]:
    """Dotted path of every trial config field, those of plug-ins included -> whether it allows any key."""
    return dict(_paths(TrialConfig, ""))


def is_field(path: str) -> bool:
    """Whether the dotted path is a trial config field, or a key below a field that allows any key."""
    parents = (path.rsplit(".", num)[0] for num in range(1, path.count(".") + 1))
    known = trial_fields()
    return path in known or any(known.get(parent, False) for parent in parents)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name closest to the word; None if no name is close."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def guess(word: str, known: Iterable[str]) -> str:
    """A suggestion: the trial config field of that name, else the closest known name, else all known names."""
    names = sorted(known)
    elsewhere = [
        path for path in trial_fields() if path.rsplit(".", 1)[-1] == word and not path.startswith("strategy.")
    ]
    near = f"base.{min(elsewhere, key=len)}" if elsewhere else nearest(word, names)
    return f"did you mean {near}?" if near else f"expected one of {', '.join(names)}"
