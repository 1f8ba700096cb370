"""Overlays of mappings: how profiles, overrides, part sweeps and axis values change a config.

Nothing is changed in place. A built-in model or task or a strategy may be given by name. To set a key inside it, the
name is first replaced by the mapping that it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainables.builtin import MODELS, TASKS

KINDS = ("strategy", "distance", "own")
"""Fields that may be given by the name of a kind."""


def merge(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """Merges mappings key by key; `high` replaces any other value, and also a mapping that names a kind."""
    merged = dict(low)
    for key, value in high.items():
        inside = as_mapping(key, low.get(key))
        if not isinstance(value, dict) or inside is None or (key in KINDS and "kind" in value):
            merged[key] = value
        else:
            merged[key] = merge(inside, value)
    return merged


def assign(tree: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy of the tree with the value set at the path. Raises KeyError with the path of a value without keys."""
    key, *rest = path
    if not rest:
        return {**tree, key: value}
    inside = as_mapping(key, tree.get(key))
    if inside is None:
        raise KeyError(key)
    try:
        return {**tree, key: assign(inside, rest, value)}
    except KeyError as error:
        raise KeyError(f"{key}.{error.args[0]}") from None


def holds(tree: Any, path: Sequence[str | int]) -> bool:
    """Whether the tree has a value at the path."""
    try:
        for key in path:
            tree = tree[key]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def as_mapping(key: str, value: Any) -> dict[str, Any] | None:
    """The mapping that the value of the key is or names; None if the value cannot hold keys."""
    if value is None:
        return {}
    if isinstance(value, str):
        if key in KINDS:
            return {"kind": value}
        return {"model": MODELS, "task": TASKS}.get(key, {}).get(value)
    return value if isinstance(value, dict) else None
