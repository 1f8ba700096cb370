"""Why a cell or a teacher is to do: what went wrong with it, or how it differs from the nearest finished one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

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
        **_reasons(_open(plan.teacher_cells, plan.teacher_states), taught.values(), records.teacher, _known_teacher),
        **_reasons(_open(plan.cells, plan.cell_states), done.values(), records.cell, _known_cell),
    }


def _open(cells: Mapping[str, Cell], states: Mapping[str, str]) -> dict[str, Cell]:
    return {key: cell for key, cell in cells.items() if states[key] in ("missing", "failed")}


def _reasons(
    cells: Mapping[str, Cell],
    done: Iterable[Cell],
    record: Callable[[str], Record],
    known: Callable[[Cell], Known],
) -> dict[str, str]:
    """The reasons of these cells, or of their teachers."""
    finished = [known(cell) for cell in done]
    all_reasons = {key: _fault(record(key)) or _difference(known(cell), finished) for key, cell in cells.items()}
    return {key: reason for key, reason in all_reasons.items() if reason}


def _known_cell(cell: Cell) -> Known:
    return Known(cell.fingerprint, every_field(cell.config), {"data": cell.data, "teacher": cell.teacher_hash})


def _known_teacher(cell: Cell) -> Known:
    return Known(cell.teacher_hash, teacher_fields(cell.config), {"data": cell.data})


def _fault(record: Record) -> str:
    """`failed: not finite at step 7`, `cut off`; empty for one that was never begun."""
    failure = record.last_failure()
    if failure:
        return f"failed: {failure.reason}"
    return "cut off" if record.attempts() else ""


def _difference(own: Known, done: Iterable[Known]) -> str:
    """How it differs from the nearest finished one; empty where none is near."""
    pairs = [(other, _differing(own, other)) for other in done]
    if not pairs:
        return ""
    other, differing = min(pairs, key=lambda pair: (len(pair[1]), -_num_shared(own, pair[0])))
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


def _num_shared(own: Known, other: Known) -> int:
    """The number of equal sources."""
    return sum(other.sources[name] == value for name, value in own.sources.items())


def _value(value: str | None) -> str:
    return "none" if value is None else short_value(value)
