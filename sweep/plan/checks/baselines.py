"""The baselines of a sweep, of which one has as much compute as matching has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweep.grid.baselines import baseline_cells
from sweep.grid.cells import Cell
from sweep.plan.checks.sizes import CellSizes
from sweep.plan.operations import step_operations
from sweep.spec.baselines import Baseline
from trainables.errors import raise_all
from trainables.steps import Schedule


def with_baselines(cells: Sequence[Cell], baselines: Sequence[Baseline], sizes: Mapping[str, CellSizes]) -> list[Cell]:
    """The cells of the grid, then their baselines. Raises InputError with every problem of the baselines.

    `sizes`: fingerprint -> the sizes of a cell, without those that are not known.
    """

    def steps(none: Cell, matching: Sequence[Cell]) -> int | None:
        known = [sizes[cell.fingerprint] for cell in matching if cell.fingerprint in sizes]
        return _matched_steps(none, known) if len(known) == len(matching) else None

    added, problems = baseline_cells(cells, baselines, steps)
    raise_all(problems)
    return [*cells, *added]


def _matched_steps(none: Cell, matching: Sequence[CellSizes]) -> int:
    """The steps with which `none` costs as much as the matching cell that costs most; 0 for no step more.

    Evaluations are not counted, since they are alike.
    """
    own = replace(matching[0], config=none.config)
    num_steps = Schedule.of(none.config.train, own.splits.train).num_steps
    longer = round(num_steps * max(map(step_operations, matching)) / step_operations(own))
    return longer if longer > num_steps else 0
