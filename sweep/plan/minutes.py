"""Estimates the time of a sweep on this machine's CPU from the times of stored cells on the same processor."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from pydantic import ValidationError

from sweep.grid.blocks import Once
from sweep.plan.checks import Checked
from sweep.plan.checks.sizes import sizes
from sweep.plan.costs import cell_operations, teacher_operations
from sweep.plan.states import Plan
from sweep.records import environment
from sweep.records.records import CellRecord, Records
from sweep.records.storage import Storage
from sweep.records.stored import CellResult
from trainables.clock import TOTAL
from trainables.config import TrialConfig

_MOST_CELLS = 100
"""The most cells of other sweeps that are read, so that a plan stays quick on a large storage."""


class Measured(NamedTuple):
    """The work and the time of one finished cell."""

    teacher: str
    """The hash of its teacher."""
    operations: float
    seconds: float


def estimate(checked: Checked, plan: Plan) -> str:
    """`about 12 minutes on this CPU, …`; empty if nothing is to do, or if no cell of the storage gives a rate.

    The seconds per operation are those of the teacher's finished cells, or of all finished cells if it has none.
    """
    open_cells = [key for key, state in plan.cell_states.items() if state != "done"]
    known = list(_measured(checked, plan)) if open_cells else []
    if not known:
        return ""
    all_sizes = checked.sizes()
    rates = {teacher: _rate(known, teacher) for teacher in plan.teacher_cells}
    operations, seconds = Once[float](), 0.0
    for key, number in [*((key, 1) for key in open_cells), *plan.trials.items()]:
        if size := all_sizes.get(key):
            work = operations.of(partial(cell_operations, size), size)
            seconds += number * work * rates[plan.cells[key].teacher_hash]
    for teacher, cell in plan.teacher_cells.items():
        if plan.teacher_states[teacher] != "done" and cell.fingerprint in all_sizes:
            seconds += teacher_operations(all_sizes[cell.fingerprint]) * rates[teacher]
    num_at_once = max(1, environment.num_cpus() // max(1, checked.config.resources.cpus))
    minutes = seconds / num_at_once / 60
    duration = "less than a minute" if minutes < 1 else f"about {float(f'{minutes:.2g}'):g} minutes"
    return f"{duration} on this CPU, by what {len(known)} cell{'s' * (len(known) > 1)} of the storage took"


def _rate(known: Sequence[Measured], teacher: str) -> float:
    """Seconds per operation."""
    cells = [each for each in known if each.teacher == teacher] or known
    return sum(each.seconds for each in cells) / sum(each.operations for each in cells)


def _measured(checked: Checked, plan: Plan) -> Iterator[Measured]:
    """The teacher, operations and seconds of finished cells: those of the plan, else of others with its teachers."""
    records, processor = Records(Storage(checked.config.storage_url)), environment.cpu()
    own = [key for key, state in plan.cell_states.items() if state == "done"]
    for key in own or records.storage.list("cells")[:_MOST_CELLS]:
        cell = plan.cells.get(key)
        known = (cell.config, cell.data, cell.teacher_hash) if cell else _declared(records.cell(key))
        if known is None or known[2] not in checked.teacher_sources:
            continue
        config, data, teacher = known
        size = sizes(config, checked.teacher_sources[teacher], checked.data.get(data)) if data in checked.data else None
        result = records.cell(key).result() if size else None
        if size and result and _is_like(result, processor):
            yield Measured(teacher, cell_operations(size), result.metrics[TOTAL])


def _declared(record: CellRecord) -> tuple[TrialConfig, str, str] | None:
    """The config, data and teacher of another sweep's cell; None if this program does not know its whole config."""
    content = record.storage.read(f"{record.root}/cell.json")
    if content is None:
        return None
    facts = json.loads(content)
    try:
        return TrialConfig.model_validate(facts["config"]), facts["data"], facts["teacher"]
    except ValidationError:
        return None


def _is_like(result: CellResult, processor: str) -> bool:
    made_by = result.environment
    return made_by.cpu == processor and not made_by.gpus and TOTAL in result.metrics
