"""Which cells are trained in lockstep: the cohorts of a sweep, each of them one trial.

Cells with the same teacher and the same `cohort_key` that have reached the same step may share a cohort, in which one
pass of the teacher per batch serves all of them. A larger cohort saves passes of the teacher; more cohorts keep more
workers busy.
"""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from rich.console import Console
from rich.text import Text

from sweep.grid.blocks import Once
from sweep.grid.cells import Cell
from sweep.plan import costs
from sweep.plan.checks import Checked
from sweep.plan.checks.memory import room
from sweep.plan.checks.sizes import CellSizes
from sweep.plan.states import Plan
from trainables import memory
from trainables.sharing import cohort_key

GROWTH = 1.25
"""The ratio between the numbers of parts that are compared."""


@dataclass(frozen=True)
class Cost:
    """The amount of computation of a cell, in any unit that all cells share."""

    own: float = 1.0
    shared: float = 0.5
    """The teacher's part, which a cohort computes once."""


Cohort = tuple[Cell, ...]
Fits = Callable[[Sequence[Cell]], bool]


@dataclass(frozen=True)
class Cohorts:
    """Divides cells into cohorts."""

    costs: Mapping[str, Cost]
    """Fingerprint -> cost; a cell without an entry costs `Cost()`."""
    fits: Fits = lambda cells: True
    """Whether the memory of a trial has room for a cohort."""

    @classmethod
    def of_sizes(cls, sizes: Mapping[str, CellSizes], num_bytes: float | None, num_gpus: float = 0) -> Cohorts:
        """Costs and memory from the sizes of cells, by fingerprint.

        A trial has `num_bytes` of memory, on each of its GPUs; None if that is unknown. Cells without sizes count as if
        they fit.
        """
        known, members = Once[Cost](), Once[memory.Member]()
        all_costs = {key: known.of(partial(_cost, cell), cell) for key, cell in sizes.items()}

        def member(cell: CellSizes) -> memory.Member:
            return members.of(lambda: memory.of_member(cell.config, cell.family, cell.shape, cell.head), cell)

        def fits(cells: Sequence[Cell]) -> bool:
            if num_bytes is None:
                return True
            present = [member(sizes[cell.fingerprint]) for cell in cells if cell.fingerprint in sizes]
            return not present or sum(memory.of_cohort(present, int(num_gpus)).values()) <= num_bytes

        return cls(all_costs, fits)

    def divide(
        self, cells: Iterable[Cell], steps: Mapping[str, int], num_at_once: int, size: int | Literal["auto"]
    ) -> list[Cohort]:
        """The cohorts, the most expensive first. `steps`: fingerprint -> the step at which a cell continues, if not 0.

        `num_at_once` trials run at the same time. `size`: the most cells of a cohort; `auto`: the size with which the
        sweep ends first by estimate.
        """
        pools: dict[tuple[str, str, int], list[Cell]] = {}
        keys = Once[str]()
        for cell in cells:
            config = cell.config
            same = (config.model.family, config.seed, config.dtype, config.losses.semantics)
            shared = keys.of(partial(cohort_key, config), config.task, config.train, key=same)
            pools.setdefault((cell.teacher_hash, shared, steps.get(cell.fingerprint, 0)), []).append(cell)
        sizes = [size] if size != "auto" else _sizes(max(map(len, pools.values()), default=1), num_at_once)
        divisions = [[part for pool in pools.values() for part in self._parts(pool, each)] for each in sizes]
        best = min(divisions, key=lambda cohorts: self._makespan(cohorts, num_at_once))
        return sorted(best, key=lambda cohort: -self.cost(cohort))

    def cost(self, cohort: Sequence[Cell]) -> float:
        """The cost of a cohort, in which the teacher's part counts once."""
        costs = [self.costs.get(cell.fingerprint, Cost()) for cell in cohort]
        return max(cost.shared for cost in costs) + sum(cost.own for cost in costs)

    def _parts(self, pool: Sequence[Cell], size: int) -> list[Cohort]:
        """A pool in as few parts of at most `size` as fit, with about the same cost."""
        for num_parts in range(-(-len(pool) // size), len(pool) + 1):
            parts = self._balanced(pool, num_parts, size)
            if all(map(self.fits, parts)):
                return parts
        return [(cell,) for cell in pool]

    def _balanced(self, pool: Sequence[Cell], num_parts: int, size: int) -> list[Cohort]:
        """The expensive cells first, each goes to the cheapest part that has fewer than `size` cells."""
        if num_parts == 1:
            return [tuple(pool)]
        parts: list[list[Cell]] = [[] for _ in range(num_parts)]
        loads = [(0.0, index) for index in range(num_parts)]
        for cell in sorted(pool, key=lambda cell: -self.costs.get(cell.fingerprint, Cost()).own):
            load, index = heapq.heappop(loads)
            parts[index].append(cell)
            if len(parts[index]) < size:
                heapq.heappush(loads, (load + self.costs.get(cell.fingerprint, Cost()).own, index))
        order = {cell.fingerprint: index for index, cell in enumerate(pool)}
        return [tuple(sorted(part, key=lambda cell: order[cell.fingerprint])) for part in parts]

    def _makespan(self, cohorts: Sequence[Cohort], num_at_once: int) -> float:
        """The time until all cohorts are done, if each free worker takes the most expensive one that is left."""
        workers = [0.0] * max(1, min(num_at_once, len(cohorts)))
        for cost in sorted(map(self.cost, cohorts), reverse=True):
            heapq.heapreplace(workers, workers[0] + cost)
        return max(workers)


def _cost(cell: CellSizes) -> Cost:
    shared = costs.shared_operations(cell)
    return Cost(costs.cell_operations(cell) - shared, shared)


def show(checked: Checked, plan: Plan, console: Console) -> None:
    """Prints the cohorts of the cells that are to do, if this machine computes them, and what they save."""
    resources, cells = checked.config.resources, plan.cells_to_run(retry_failed=False)
    if not cells or resources.cohort == 1:
        return
    num_at_once = int(1 / resources.gpus) if 0 < resources.gpus < 1 else 1
    if not resources.gpus:
        num_at_once = max(1, len(os.sched_getaffinity(0)) // resources.cpus)
    cohorts = Cohorts.of_sizes(checked.sizes(), room(resources), resources.gpus)
    division = cohorts.divide(cells, plan.steps, num_at_once, resources.cohort)
    share = sum(map(cohorts.cost, division)) / sum(cohorts.cost([cell]) for cell in cells)
    counts = Counter(map(len, division))
    sizes = ", ".join(f"{counts[size]} of {size} cell{'s' * (size != 1)}" for size in sorted(counts, reverse=True))
    where = (
        ("on one GPU" if resources.gpus <= 1 else f"on {resources.gpus:g} GPUs")
        if resources.gpus
        else "on this machine"
    )
    text = f"cohorts {where}: {sizes}; they compute {share:.0%} of what the cells would compute alone"
    console.print(Text(text), soft_wrap=True)


def _sizes(largest: int, num_at_once: int) -> list[int]:
    """Sizes to compare, the largest first, from whole pools to several parts per worker."""
    sizes, num_parts = [largest], 1
    while num_parts < min(largest, 4 * num_at_once):
        num_parts = max(num_parts + 1, int(num_parts * GROWTH))
        sizes.append(-(-largest // num_parts))
    return list(dict.fromkeys(sizes))
