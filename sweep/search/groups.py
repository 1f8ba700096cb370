"""The groups of a search, whose cells differ in their seed or a shared axis: their candidates and chosen settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sweep.grid.cells import Cell
from sweep.grid.fingerprint import fingerprint
from sweep.grid.space import corners, with_shared, with_values
from sweep.grid.variation import group_labels
from sweep.spec.search import Search
from trainables.config import TrialConfig


@dataclass(frozen=True)
class Group:
    """The cells of the grid that take their setting from one study. Their searched fields have no settled values."""

    label: str
    tried: Cell
    """The cell with which settings are tried."""
    cells: tuple[Cell, ...]
    seed: int
    """The seed of its candidates."""

    def candidate(self, values: Mapping[str, Any]) -> Cell:
        """The cell that tries the values."""
        return _with(self.tried, values, seed=self.seed)

    def chosen(self, values: Mapping[str, Any]) -> list[Cell]:
        """The cells of the group with the chosen values."""
        return [_with(cell, values, seed=cell.config.seed) for cell in self.cells]


def groups(cells: Iterable[Cell], search: Search) -> list[Group]:
    """The groups of the grid's cells, in the order of their first cells."""
    start = {path: corners(path, span)[0].value for path, span in search.fields.items()}
    tried: dict[str, Cell] = {}
    members: dict[str, list[Cell]] = {}
    for cell in cells:
        first = _with(cell, start, seed=search.seed, share=search.share)
        tried.setdefault(first.fingerprint, first)
        members.setdefault(first.fingerprint, []).append(cell)
    labels = group_labels({key: cell.shown for key, cell in tried.items()})
    counts = Counter(labels.values())
    names = {key: label if counts[label] == 1 else f"{label} · {key[:6]}" for key, label in labels.items()}
    return [Group(names[key], tried[key], tuple(group), search.seed) for key, group in members.items()]


def _with(cell: Cell, values: Mapping[str, Any], *, seed: int, share: Mapping[str, Any] | None = None) -> Cell:
    """The cell with other values and another seed; its data and its teacher stay."""

    def changed(config: TrialConfig) -> TrialConfig:
        return with_values(with_shared(config, share or {}), values).model_copy(update={"seed": seed})

    is_shared = share is not None and "strategy" in share  # then it is no baseline, but the strategy that is tuned
    origin = None if cell.origin is None else changed(cell.origin)
    config = origin if origin and is_shared else changed(cell.config)
    key = fingerprint(config, cell.data, cell.teacher_hash)
    if is_shared or origin is None:
        return Cell(config, cell.data, cell.teacher_hash, key)
    return Cell(config, cell.data, cell.teacher_hash, key, cell.baseline, origin)
