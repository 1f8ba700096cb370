"""Mappings laid over mappings: what a profile, an override, a part sweep or an axis value does to a config.

Nothing is changed in place. Where a key is set inside a built-in model or task that is given by its name, or inside
a strategy given by its name, the name is first replaced by the mapping that it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainables.builtin import MODELS, TASKS


def merge(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """`high` over `low`: mappings key by key, all else replaced; a strategy that names its kind is replaced whole."""
    merged = dict(low)
    for key, value in high.items():
        inside = opened(key, low.get(key))
        whole = key == "strategy" and isinstance(value, dict) and "kind" in value
        merged[key] = merge(inside, value) if isinstance(value, dict) and inside is not None and not whole else value
    return merged


def assign(tree: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """The tree with the value at the path. Raises KeyError with the path of a value that holds no keys."""
    key, *rest = path
    if not rest:
        return {**tree, key: value}
    inside = opened(key, tree.get(key))
    if inside is None:
        raise KeyError(key)
    try:
        return {**tree, key: assign(inside, rest, value)}
    except KeyError as error:
        raise KeyError(f"{key}.{error.args[0]}") from None


def holds(tree: Any, path: Sequence[str | int]) -> bool:
    """Whether something stands at the path."""
    try:
        for key in path:
            tree = tree[key]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def opened(key: str, value: Any) -> dict[str, Any] | None:
    """The mapping that a value is or stands for at this key, or None where it holds no keys."""
    if value is None:
        return {}
    if isinstance(value, str):
        named = {"model": MODELS.get(value), "task": TASKS.get(value), "strategy": {"kind": value}}
        return named.get(key)
    return value if isinstance(value, dict) else None
