"""The part sweeps of a sweep with their inherited base and axes, and the config path of each field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sweep.spec.messages import Path, dotted
from sweep.spec.overlay import holds, merge
from sweep.spec.sweep import Axes, PartSweep, SweepConfig


@dataclass(frozen=True)
class Part:
    """One base and its axes; `own` is the part sweep without what it inherits, `prefix` its path in the config."""

    base: dict[str, Any]
    axes: Axes
    own: PartSweep
    prefix: str
    inherited: dict[str, Any]

    def axis_path(self, key: str) -> str:
        """The config path of the axis."""
        return f"{self.prefix if key in self.own.axes else ''}axes.{key}"

    def base_path(self, path: Path) -> str:
        """The config path of the base field."""
        return dotted((f"{self.prefix if holds(self.own.base, path) else ''}base", *path))

    def field_path(self, path: Path, picks: dict[str, int]) -> str:
        """The config path of a field of the cell with these axis values: `base.train.epochs`, `axes.init[1]`."""
        above = [key for key in picks if path[: key.count(".") + 1] == tuple(key.split("."))]
        if not above:
            return self.base_path(path)
        key = max(above, key=len)
        return dotted((self.axis_path(key), picks[key], *path[key.count(".") + 1 :]))


def parts(config: SweepConfig) -> Iterator[Part]:
    """The part sweeps, or else the sweep itself. A field that a part's own base sets is not an axis of that part."""
    if not config.grids:
        yield Part(config.base, config.axes, PartSweep(), "", {})
    named = config.grids.items() if isinstance(config.grids, dict) else enumerate(config.grids)
    for name, own in named:
        inherited = {key: values for key, values in config.axes.items() if not holds(own.base, key.split("."))}
        base = merge(config.base, own.base)
        yield Part(base, {**inherited, **own.axes}, own, f"{dotted(('grids', name))}.", config.base)
