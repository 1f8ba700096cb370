"""Why a cell or a teacher is to do: what went wrong with it, or how it differs from the nearest finished one.

D finished ones, A all of them and those to do, F fields, S sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.grid.cells import Cell
from sweep.grid.variation import FlatConfig, every_field, short_value, teacher_fields
from sweep.plan.states import Plan
from sweep.records.joined import earlier_call
from sweep.records.records import Record, Records

MOST_FIELDS = 3
"""The fields that may differ from the nearest finished cell; one that differs in more is simply new."""
NUM_LETTERS = 4
"""Of a fingerprint that names a cell."""


@dataclass(frozen=True)
class Known:
    """A finished cell or teacher: its identity, the fields that affect it, and the hashes of its sources by name."""

    identity: str
    fields: FlatConfig
    sources: Mapping[str, str]


def reasons(plan: Plan, records: Records, name: str) -> dict[str, str]:
    """Fingerprint or hash -> why it is to do or has failed, where there is something to say.

    Finished ones are those of earlier calls of the sweep of this name.
    """
    earlier = earlier_call(name, records.storage)
    cells = earlier.cells if earlier else ()
    done = {cell.fingerprint: cell for cell in cells if records.cell(cell.fingerprint).state() == "done"}
    taught = {cell.teacher_hash: cell for cell in cells if records.teacher(cell.teacher_hash).state() == "done"}
    return {
        **_reasons(_open(plan.teacher_cells, plan.teacher_states), taught.values(), _known_teachers),
        **_faults(plan, _open(plan.teacher_cells, plan.teacher_states), records.teacher),
        **_reasons(_open(plan.cells, plan.cell_states), done.values(), _known_cells),
        **_faults(plan, _open(plan.cells, plan.cell_states), records.cell),
    }


def _open(cells: Mapping[str, Cell], states: Mapping[str, str]) -> dict[str, Cell]:
    return {key: cell for key, cell in cells.items() if states[key] in ("missing", "failed")}


def _faults(plan: Plan, cells: Iterable[str], record: Callable[[str], Record]) -> dict[str, str]:
    """What went wrong with these cells or teachers, where something did."""
    faults = {key: _fault(record(key)) for key in cells if key in plan.begun}
    return {key: fault for key, fault in faults.items() if fault}


def _reasons(
    cells: Mapping[str, Cell], done: Iterable[Cell], known: Callable[[Iterable[Cell]], list[Known]]
) -> dict[str, str]:
    """How these cells, or their teachers, differ from the nearest finished ones."""
    finished = known(done)
    if not finished:
        return {}
    to_do = known(cells.values())
    nearest = _nearest(to_do, finished)
    differences = {key: _difference(own, nearest[own.identity]) for key, own in zip(cells, to_do, strict=True)}
    return {key: difference for key, difference in differences.items() if difference}


def _known_cells(cells: Iterable[Cell]) -> list[Known]:
    """What the cells are known by."""
    every = list(cells)
    fields = every_field([cell.config for cell in every])
    return [
        Known(cell.fingerprint, own, {"data": cell.data, "teacher": cell.teacher_hash})
        for cell, own in zip(every, fields, strict=True)
    ]


def _known_teachers(cells: Iterable[Cell]) -> list[Known]:
    """What the teachers of the cells are known by."""
    return [Known(cell.teacher_hash, teacher_fields(cell.config), {"data": cell.data}) for cell in cells]


def _fault(record: Record) -> str:
    """`failed: not finite at step 7`, `cut off`; empty for one that was never begun."""
    failure = record.last_failure()
    if failure:
        return f"failed: {failure.reason}"
    return "cut off" if record.attempts() else ""


def _nearest(to_do: Sequence[Known], finished: Sequence[Known]) -> dict[str, Known]:
    """The identity of each -> the finished one that differs in the fewest fields, and of these in the fewest sources.

    Of equals it is the first one. All are compared with all, on numbers, because a plan may have thousands of cells.
    """
    fields_AF = _codes([each.fields for each in (*finished, *to_do)])
    sources_AS = _codes([each.sources for each in (*finished, *to_do)])
    fields_DF, sources_DS = fields_AF[: len(finished)], sources_AS[: len(finished)]
    nearest: dict[str, Known] = {}
    for index, own in enumerate(to_do, start=len(finished)):
        num_fields_D = (fields_DF != fields_AF[index]).sum(axis=1)
        num_sources_D = (sources_DS != sources_AS[index]).sum(axis=1)
        first = np.argmin(num_fields_D * (sources_DS.shape[1] + 1) + num_sources_D)
        nearest[own.identity] = finished[int(first)]
    return nearest


def _codes(rows: Sequence[Mapping[str, str]]) -> NDArray[np.int64]:
    """A number for each value, equal where a field has the same one; of the fields that vary alone."""
    fields = dict.fromkeys(field for row in rows for field in row)
    codes: dict[tuple[str, Any], int] = {}
    table = np.array([[codes.setdefault((field, row.get(field)), len(codes)) for field in fields] for row in rows])
    return table[:, (table != table[0]).any(axis=0)]


def _difference(own: Known, other: Known) -> str:
    """How it differs from a finished one; empty if that one is not near."""
    differing = _differing(own, other)
    if len(differing) > MOST_FIELDS:
        return ""
    if differing:
        changes = ", ".join(f"{field} {_value(before)} → {_value(now)}" for field, before, now in differing)
        return f"as {other.identity[:NUM_LETTERS]}… but {changes}"
    changed = [name for name, value in own.sources.items() if other.sources[name] != value]
    return f"its {changed[0]} changed" if changed else "the program or a plug-in changed"


def _differing(own: Known, other: Known) -> list[tuple[str, str | None, str | None]]:
    """Field, its value in the other and its own, of the fields that differ."""
    fields = dict.fromkeys([*own.fields, *other.fields])
    pairs = [(field, other.fields.get(field), own.fields.get(field)) for field in fields]
    return [(field, before, now) for field, before, now in pairs if before != now]


def _value(value: str | None) -> str:
    return "none" if value is None else short_value(value)
