"""The cells of the baselines: one per group of cells that differ in their strategy alone.

`labels_only` is `none` without the KL term. `none_matched_compute` is `none`, trained for as many steps as cost as much
as the matching cell of its group that costs most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import ValidationError

from sweep.grid.cells import Cell
from sweep.grid.fingerprint import canonical, fingerprint
from sweep.grid.space import with_values
from sweep.spec.baselines import LABELS_ONLY, Baseline
from sweep.spec.messages import quote
from trainables.config import TrialConfig
from trainables.errors import Problem
from trainables.inert import without_inert
from trainables.strategies import NoMatching

Steps = Callable[[Cell, Sequence[Cell]], int | None]
"""The steps of a cell of `none` that cost as much as the matching cells; 0 for no step more, None if unknown."""


def baseline_cells(
    cells: Sequence[Cell], baselines: Sequence[Baseline], steps: Steps
) -> tuple[list[Cell], list[Problem]]:
    """The baselines of these cells in the order of their groups, and why there is none where one was asked for.

    A baseline that trains exactly as a cell of the grid does is left out.
    """
    known, problems = {cell.fingerprint for cell in cells}, list[Problem]()
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(canonical(_without_matching(cell.config).model_dump(mode="json")), []).append(cell)
    added: dict[str, Cell] = {}
    for index, name in enumerate(baselines):
        for group in groups.values():
            cell = _cell(group, name, steps)
            if isinstance(cell, str):
                problems.append(Problem(f"baselines[{index}]", f"got {quote(name)}; {cell}"))
            elif cell.fingerprint not in known:
                added.setdefault(cell.fingerprint, cell)
    return list(added.values()), list(dict.fromkeys(problems))


def _without_matching(config: TrialConfig) -> TrialConfig:
    return without_inert(config.model_copy(update={"strategy": NoMatching()}))


def _cell(group: Sequence[Cell], name: Baseline, steps: Steps) -> Cell | str:
    """The baseline of a group, or why it has none."""
    first, origin = group[0], _without_matching(group[0].config)
    none = _of(first, origin)
    if name == LABELS_ONLY:
        try:
            return _of(first, with_values(origin, {"losses.kl": 0}), name, origin)
        except ValidationError:
            return "a cell with losses.ce 0 would learn from nothing; leave it out, or give losses.ce a weight"
    matching = [cell for cell in group if not isinstance(cell.config.strategy, NoMatching)]
    if not matching:
        return "there is no matching strategy whose cost it could have; give one in axes.strategy, or leave it out"
    num_steps = steps(none, matching)
    if num_steps is None:
        return f"the family {origin.model.family} does not say what its parameters are; leave it out"
    longer = origin.train.model_copy(update={"max_steps": num_steps or origin.train.max_steps})
    return _of(first, without_inert(origin.model_copy(update={"train": longer})), name, origin)


def _of(cell: Cell, config: TrialConfig, baseline: Baseline | None = None, origin: TrialConfig | None = None) -> Cell:
    """A cell with the data and the teacher of another one."""
    key = fingerprint(config, cell.data, cell.teacher_hash)
    return Cell(config, cell.data, cell.teacher_hash, key, baseline, origin)
