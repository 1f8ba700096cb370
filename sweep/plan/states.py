"""The plan of a sweep: its cells and teachers with their states in the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweep.grid.cells import Cell
from sweep.grid.variation import cell_labels, teacher_labels
from sweep.plan.checks import Checked
from sweep.plan.checks.tasks import NOT_LOOKED_UP
from sweep.records import checkpoints
from sweep.records.records import Record, Records, State
from trainables.config import TrialConfig

Known = State | Literal["unknown", "waiting"]
"""The state of a cell or teacher; unknown if its data or its teacher was not looked up, waiting before its search."""
WORDS: dict[Known, str] = {
    "done": "done",
    "failed": "failed",
    "missing": "to do",
    "unknown": "not looked up",
    "waiting": "after the search",
}
MANY = 200
"""From here on, what is done for each cell of a plan takes noticeable time."""


@dataclass(frozen=True)
class Plan:
    """The distinct cells of a sweep and one cell per teacher, with their states when they were read."""

    cells: Mapping[str, Cell]
    """By fingerprint."""
    teacher_cells: Mapping[str, Cell]
    """Teacher hash -> the first cell with this teacher."""
    labels: Mapping[str, str]
    """The labels of cells by fingerprint, and those of teachers by hash."""
    cell_states: Mapping[str, Known]
    teacher_states: Mapping[str, Known]
    steps: Mapping[str, int]
    """Fingerprint or hash -> the step at which a cell or teacher that was cut off continues."""

    begun: Collection[str] = ()
    """Fingerprints and hashes of the records of which something may be stored; the others have nothing."""
    trials: Mapping[str, int] = field(default_factory=dict[str, int])
    """Fingerprint of a cell -> the candidates of its group that a search has still to train."""

    @classmethod
    def of(cls, checked: Checked, records: Records, waiting: Collection[str] = ()) -> Plan:
        """The plan of the cells; those of `waiting`, by fingerprint, get their settings from a search first."""
        cells = {cell.fingerprint: cell for cell in checked.cells}
        teacher_cells: dict[str, Cell] = {}
        for cell in cells.values():
            teacher_cells.setdefault(cell.teacher_hash, cell)
        begun = {*_begun(cells, records.cells), *_begun(teacher_cells, records.teachers)}
        known = _states({key: cell for key, cell in cells.items() if key not in waiting}, records.cell, begun)
        cell_states: dict[str, Known] = {key: known.get(key, "waiting") for key in cells}
        teacher_states = _states(teacher_cells, records.teacher, begun)
        open_records: list[Record] = [records.cell(key) for key in _to_run(cell_states, True) if key in begun]
        open_records += [records.teacher(key) for key in _to_run(teacher_states, True) if key in begun]
        steps = records.storage.map(checkpoints.last_step, open_records)
        configs = ({key: cell.shown for key, cell in each.items()} for each in (cells, teacher_cells))
        return cls(
            cells,
            teacher_cells,
            cell_labels(next(configs)) | teacher_labels(next(configs)),
            cell_states,
            teacher_states,
            {record.identity: step for record, step in zip(open_records, steps, strict=True) if step},
            begun,
        )

    @property
    def settled(self) -> list[Cell]:
        """The cells that wait for no search."""
        return [cell for key, cell in self.cells.items() if self.cell_states[key] != "waiting"]

    @property
    def is_settled(self) -> bool:
        """Whether no cell waits for a search."""
        return len(self.settled) == len(self.cells)

    def cells_to_run(self, *, retry_failed: bool) -> list[Cell]:
        """The cells without a result; cells that failed by themselves only with `retry_failed`."""
        return [self.cells[key] for key in _to_run(self.cell_states, retry_failed)]

    def records(self, records: Records, identities: Collection[str] | None = None) -> list[Record]:
        """The records of its teachers and cells, or of those with these identities."""
        every: dict[str, Record] = {key: records.teacher(key) for key in self.teacher_cells}
        every |= {key: records.cell(key) for key in self.cells}
        return [record for key, record in every.items() if identities is None or key in identities]

    def teacher_cells_to_make(self, *, retry_failed: bool) -> list[Cell]:
        """One cell per teacher without a result; teachers that failed by themselves only with `retry_failed`."""
        return [self.teacher_cells[key] for key in _to_run(self.teacher_states, retry_failed)]

    def has_work(self, *, retry_failed: bool) -> bool:
        """Whether there is a teacher to make or a cell to run."""
        return bool(
            self.teacher_cells_to_make(retry_failed=retry_failed) or self.cells_to_run(retry_failed=retry_failed)
        )


def _begun(identities: Collection[str], stored: Callable[[], Collection[str]]) -> Collection[str]:
    """Those of which something may be stored. One listing answers for many; for a few, their own files do."""
    return set(identities).intersection(stored()) if len(identities) > MANY else identities


def _states(cells: Mapping[str, Cell], record_of: Callable[[str], Record], begun: Collection[str]) -> dict[str, Known]:
    """The states of cells or teachers, by identity."""
    states: dict[str, Known] = {key: "unknown" if is_unknown(cell) else "missing" for key, cell in cells.items()}
    records = [record_of(key) for key, state in states.items() if state == "missing" and key in begun]
    if records:
        stored = records[0].storage.map(Record.state, records)
        states |= {record.identity: state for record, state in zip(records, stored, strict=True)}
    return states


def is_unknown(cell: Cell) -> bool:
    """Whether the cell's data or teacher was not looked up, so that its fingerprint is a placeholder."""
    return cell.data.startswith(NOT_LOOKED_UP) or cell.teacher_hash.startswith(NOT_LOOKED_UP)


def _to_run(states: Mapping[str, Known], retry_failed: bool) -> list[str]:
    open_states = {"missing", "failed"} if retry_failed else {"missing"}
    return [key for key, state in states.items() if state in open_states]


def declare(cell: Cell, records: Records) -> None:
    """Stores what the cell is, before a worker begins it."""
    facts = {"config": cell.config.model_dump(mode="json"), "data": cell.data, "teacher": cell.teacher_hash}
    records.cell(cell.fingerprint).declare(facts)


def show(plan: Plan, console: Console, reasons: Mapping[str, str]) -> None:
    """Shows the plan as a table with one line per teacher and per cell, and the number of each state.

    `reasons`: fingerprint or hash -> why it is to do or has failed.
    """
    lines = [
        ("teacher", key, _words(plan.teacher_states[key], plan.steps.get(key)), _teacher_steps(cell.config))
        for key, cell in plan.teacher_cells.items()
    ]
    lines += [
        ("cell", key, _words(plan.cell_states[key], plan.steps.get(key)), _steps(cell.config))
        for key, cell in plan.cells.items()
    ]
    columns = ("", "cell", "state", "steps", *(["why"] if reasons else []))
    rows = [
        (kind, plan.labels[key], state, steps, *([reasons.get(key, "")] if reasons else []))
        for kind, key, state, steps in lines
    ]
    if len(rows) > MANY:
        console.file.write(f"{_plain([columns, *rows])}\n")
    else:
        console.print(_table(columns, rows))
    console.print(Text(counts(plan)))


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        # The end of a cell's name, which has its axes, is never cut off.
        folds = column in ("cell", "why")
        table.add_column(column, no_wrap=not folds, overflow="fold" if folds else "ellipsis")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _plain(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, which do not wrap: a table that does takes seconds for thousands of rows."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _words(state: Known, step: int | None) -> str:
    """`to do`, or `to do from step 40`"""
    return f"{WORDS[state]} from step {step}" if step else WORDS[state]


def counts(plan: Plan) -> str:
    """`teachers: 1 done; cells: 2 done, 3 to do`"""
    return f"teachers: {_counts(plan.teacher_states)}; cells: {_counts(plan.cell_states)}"


def _counts(states: Mapping[str, Known]) -> str:
    counts = Counter(states.values())
    return ", ".join(f"{counts[state]} {word}" for state, word in WORDS.items() if counts[state]) or "none"


def _steps(config: TrialConfig) -> str:
    return str(config.train.max_steps) if config.train.max_steps else f"{config.train.epochs:g} epochs"


def _teacher_steps(config: TrialConfig) -> str:
    finetune = config.model.finetune
    if finetune is None:
        return "ready"
    return str(finetune.max_steps) if finetune.max_steps else f"{finetune.epochs:g} epochs"
