"""The part sweeps of a sweep with their inherited base and axes, and the config path of each field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sweep.spec.messages import Path, dotted, quote
from sweep.spec.overlay import holds, merge
from sweep.spec.sweep import Axes, PartSweep, SweepConfig
from trainables.errors import Problem


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
    """The part sweeps, or else the sweep itself. A field that a part's own base sets is not an axis of that part.

    Where the verdict adds seeds in rounds, every seed that a round may add is on the axis.
    """
    axes = {**config.axes, **_seed_axis(config)}
    if not config.grids:
        yield Part(config.base, axes, PartSweep(), "", {})
    for name, own in _named(config):
        inherited = {key: values for key, values in axes.items() if not holds(own.base, key.split("."))}
        base = merge(config.base, own.base)
        yield Part(base, {**inherited, **own.axes}, own, f"{dotted(('grids', name))}.", config.base)


def seed_problems(config: SweepConfig) -> list[Problem]:
    """The seeds that a config gives although its verdict adds them in rounds."""
    seeds = config.verdict.seeds
    if seeds is None:
        return []
    blocks = {"base": config.base, "axes": config.axes}
    for name, own in _named(config):
        blocks |= {dotted(("grids", name, "base")): own.base, dotted(("grids", name, "axes")): own.axes}
    end = f"beside verdict.seeds, whose rounds take the seeds 0 to {seeds.most - 1}; leave one of them out"
    seeds_of = {path: block["seed"] for path, block in blocks.items() if "seed" in block}
    return [Problem(f"{path}.seed", f"got {quote(value)} {end}") for path, value in seeds_of.items()]


def _seed_axis(config: SweepConfig) -> Axes:
    seeds = config.verdict.seeds
    return {} if seeds is None or "seed" in config.axes else {"seed": [*range(seeds.most)]}


def _named(config: SweepConfig) -> Iterable[tuple[str | int, PartSweep]]:
    return config.grids.items() if isinstance(config.grids, dict) else enumerate(config.grids)
