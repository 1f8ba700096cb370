"""The blocks of trial configs: their top-level fields, of which thousands of cells have few distinct ones.

The cells of a grid share the objects of their blocks, and many differ in their seeds alone. So what depends on some
blocks is computed once per object.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from trainables.config import TrialConfig
from trainables.inert import inert_fields

T = TypeVar("T")

NAMES = tuple(TrialConfig.model_fields)
"""The names of the blocks."""


class Once(Generic[T]):
    """What is computed of objects, once per combination of them; they are compared by identity, and kept alive."""

    def __init__(self) -> None:
        self._known: dict[tuple[Hashable, ...], tuple[tuple[object, ...], T]] = {}

    def of(self, compute: Callable[[], T], *objects: object, key: Hashable = None) -> T:
        """The value for these objects and the key, by which values of the same objects differ."""
        place = (key, *map(id, objects))
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = (objects, compute())
        return known[1]


class OncePerSeeds(Generic[T]):
    """What is computed of configs, once for those that have the same blocks but for their seeds."""

    def __init__(self) -> None:
        self._known = Once[T]()

    def of(self, compute: Callable[[TrialConfig], T], config: TrialConfig, *others: object, key: Hashable = None) -> T:
        """The value for the config, the other objects and the key; `compute` must not look at the seed."""
        return self._known.of(
            lambda: compute(config),
            config.model,
            config.task,
            config.strategy,
            config.train,
            config.losses,
            *others,
            key=(config.init, config.dtype, key),
        )


def inert_in_blocks(config: TrialConfig) -> Mapping[str, frozenset[str]]:
    """Block -> those of the config's fields without effect that lie in it."""
    inert = inert_fields(config)
    return {name: frozenset(path for path in inert if path.startswith(f"{name}.")) for name in NAMES}
