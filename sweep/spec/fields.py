"""The fields of the trial config by dotted path, and suggestions for a misspelled name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from trainables.config import TrialConfig
from trainables.distances import DISTANCES, Distance
from trainables.own_losses import OWN_LOSSES, OwnLoss
from trainables.strategies import STRATEGIES, Strategy

_KINDS: dict[Any, Mapping[str, type[BaseModel]]] = {Strategy: STRATEGIES, Distance: DISTANCES, OwnLoss: OWN_LOSSES}
LIKE = 0.8
"""The likeness of a misspelt name, as `max_lenght`; `max_steps` only resembles `max_length`."""


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The config models that a field's annotation allows; for a field of kinds, those of all kinds."""
    if annotation in _KINDS:
        return list(_KINDS[annotation].values())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def known_keys(models: Iterable[type[BaseModel]], path: Iterable[str | int]) -> list[str]:
    """The keys that the models define at the path; empty where any key is allowed or the value is no mapping."""
    return list(dict.fromkeys(key for model in _models_at(models, path) for key in model.model_fields))


def known_paths(models: Iterable[type[BaseModel]], path: Iterable[str | int]) -> list[str]:
    """The dotted paths of all fields below the path, relative to it."""
    return [name for model in _models_at(models, path) for name, _ in _paths(model, "")]


def _models_at(models: Iterable[type[BaseModel]], path: Iterable[str | int]) -> list[type[BaseModel]]:
    models = list(models)
    for key in path:
        fields = [model.model_fields[str(key)] for model in models if key in model.model_fields]
        if not fields:
            continue  # an index of a list of models, or a key of a mapping of them
        models = [inner for field in fields for inner in models_in(field.annotation)]
    return models


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


def is_whole(path: str) -> bool:
    """Whether the field at the dotted path takes whole numbers and no others."""
    *block, name = path.split(".")
    leaves = {
        leaf
        for model in _models_at([TrialConfig], block)
        if name in model.model_fields
        for leaf in _leaves(model.model_fields[name].annotation)
    }
    return int in leaves and float not in leaves


def _leaves(annotation: Any) -> list[Any]:
    """The types that a union or an annotated type stands for."""
    parts = get_args(annotation)
    return [leaf for part in parts for leaf in _leaves(part)] if parts else [annotation]


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name closest to the word; None if no name is as close as `likeness`, of 1 for the same name."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)), None)


def guess(word: str, known: Iterable[str], inside: Iterable[str] = ()) -> str:
    """A suggestion for a key, else all known names.

    `known` are the names of its block, `inside` the dotted paths below it. A field of the block comes before one of
    another block, unless the other has this very name and the own one only resembles it.
    """
    names = sorted(known)
    elsewhere = [f"base.{path}" for path in _named(word, trial_fields()) if not path.startswith("strategy.")]
    # A key of a search is meant only where no field of the trial config has its name.
    below = [path for path in _named(word, inside) if not (elsewhere and path.startswith("search."))]
    near = (
        min(below, key=len, default=None)
        or nearest(word, names, LIKE)
        or min(elsewhere, key=len, default=None)
        or nearest(word, names)
    )
    return f"did you mean {near}?" if near else f"expected one of {', '.join(names)}"


def guess_axis(key: str) -> str | None:
    """The trial config field that an axis may stand for; fields of its own block come first, as in `guess`."""
    block, _, word = key.rpartition(".")
    fields = trial_fields()
    own = {path.rpartition(".")[2]: path for path in fields if path.rpartition(".")[0] == block}
    same = _named(word, fields)
    inside = min((path for path in same if path.startswith(f"{block}.")), key=len, default=None)
    return (
        inside
        or own.get(nearest(word, own, LIKE) or "")
        or min(same, key=len, default=None)
        or own.get(nearest(word, own) or "")
        or nearest(key, fields)
    )


def _named(word: str, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if path.rpartition(".")[2] == word]
