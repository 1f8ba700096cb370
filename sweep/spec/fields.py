"""The fields of the trial config by dotted path: what may be an axis, and the nearest name to a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from trainables.config import TrialConfig
from trainables.strategies import STRATEGIES, Strategy


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The config models that a field's annotation admits; every strategy for the strategy field."""
    if annotation is Strategy:
        return list(STRATEGIES.values())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def known_keys(models: Iterable[type[BaseModel]], path: Iterable[str | int]) -> list[str]:
    """The keys of the mapping at the path below the models; none where it is free or holds no keys."""
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
    """Dotted path of every field of a trial config, plug-ins' too -> whether it holds keys of any name."""
    return dict(_paths(TrialConfig, ""))


def is_field(path: str) -> bool:
    """Whether the dotted path is a field of the trial config, or a key of a field with free keys."""
    parents = (path.rsplit(".", num)[0] for num in range(1, path.count(".") + 1))
    known = trial_fields()
    return path in known or any(known.get(parent, False) for parent in parents)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that the word was most likely meant to be, if any is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def guess(word: str, known: Iterable[str]) -> str:
    """`did you mean …?`: the field of the trial config that is so named, else the nearest; else all that is known."""
    names = sorted(known)
    elsewhere = [
        path for path in trial_fields() if path.rsplit(".", 1)[-1] == word and not path.startswith("strategy.")
    ]
    near = f"base.{min(elsewhere, key=len)}" if elsewhere else nearest(word, names)
    return f"did you mean {near}?" if near else f"known: {', '.join(names)}"
