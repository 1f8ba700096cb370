"""The plug-ins' metrics that finished cells and teachers lack, and what each of them can be measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.text import Text

from sweep.grid.cells import Cell
from sweep.grid.variation import cell_labels, teacher_labels
from sweep.plan.checks import Checked
from sweep.plan.states import Plan
from sweep.records import own_metrics
from sweep.records.joined import all_cells
from sweep.records.records import CellRecord, Record, Records
from sweep.records.stored import CellResult, Result
from sweep.spec.passwords import without_passwords
from trainables import predictions
from trainables.config import TrialConfig
from trainables.own_metrics import Metric, of_kind
from trainables.tasks.rows import Data

Source = Literal["answers", "model"]
"""What a metric is measured on."""
_ON: dict[Source, str] = {
    "answers": "on the stored answers of {}",
    "model": "with the stored model of {}, whose answers are not stored",
}


@dataclass(frozen=True)
class Gap:
    """A metric that the record of a finished cell or teacher lacks; `cell` is the cell, or one of the teacher."""

    record: Record
    result: Result
    cell: Cell
    label: str
    metric: Metric
    files: frozenset[str]
    """The names in the folder of the attempt that made the result."""

    @property
    def model(self) -> str:
        """The name of the model's folder."""
        return self.result.student.rpartition("/")[2] if isinstance(self.result, CellResult) else "model"

    @property
    def sources(self) -> list[Source]:
        """What is stored of it, the best first."""
        stored: dict[Source, str] = {"answers": predictions.FILE, "model": self.model}
        return [source for source, name in stored.items() if name in self.files]


def gaps(cells: Iterable[Cell], records: Records) -> list[Gap]:
    """What the finished ones of these cells and of their teachers lack, record by record; teachers come first."""
    measured = {cell.fingerprint: cell for cell in cells if of_kind(cell.config.task.kind)}
    teachers: dict[str, Cell] = {}
    for cell in measured.values():
        teachers.setdefault(cell.teacher_hash, cell)
    names = teacher_labels(_configs(teachers)) | cell_labels(_configs(measured))
    both = [(records.teacher(key), cell) for key, cell in teachers.items()]
    both += [(records.cell(key), cell) for key, cell in measured.items()]
    return [gap for record, cell in both for gap in _gaps(record, cell, names[record.identity])]


def _configs(cells: Mapping[str, Cell]) -> dict[str, TrialConfig]:
    return {key: cell.config for key, cell in cells.items()}


def _gaps(record: Record, cell: Cell, label: str) -> list[Gap]:
    result = record.result()
    lacking = own_metrics.lacking(record, result, cell.config.task.kind) if result else []
    if not result or not lacking:
        return []
    files = frozenset(record.storage.list(f"{record.root}/attempts/{result.attempt}"))
    return [Gap(record, result, cell, label, metric, files) for metric in lacking]


def show(checked: Checked, plan: Plan, records: Records, console: Console) -> None:
    """Says which metrics are measured on what is stored, and which have no value."""
    searched = tuple(checked.config.search.fields) if checked.config.search else ()
    cells = all_cells(checked.config.name, plan.settled, records.storage, searched)
    lacking = gaps(cells, records)
    reasons = {id(gap): obstacle(gap, checked.data) for gap in lacking}
    measured: list[tuple[Gap, Source]] = [(gap, gap.sources[0]) for gap in lacking if not reasons[id(gap)]]
    for sentence in sentences(measured, "is measured"):
        console.print(Text(f"{sentence} Nothing is trained for it."), soft_wrap=True)
    for gap in lacking:
        if reason := reasons[id(gap)]:
            console.print(Text(without_value(gap, reason)), soft_wrap=True)


def sentences(measured: Sequence[tuple[Gap, Source]], verb: str) -> list[str]:
    """`The metric chrf is measured on the stored answers of 3 cells and 1 teacher.`, one per metric and source."""
    groups: dict[tuple[str, Source], list[Gap]] = {}
    for gap, source in measured:
        groups.setdefault((", ".join(gap.metric.names), source), []).append(gap)
    return [
        f"The metric {names} {verb} {_ON[source].format(_records(group))}." for (names, source), group in groups.items()
    ]


def _records(group: Sequence[Gap]) -> str:
    """`3 cells and 1 teacher`"""
    counts = Counter("cell" if isinstance(gap.record, CellRecord) else "teacher" for gap in group)
    parts = [f"{counts[noun]} {noun}{'s' * (counts[noun] > 1)}" for noun in ("cell", "teacher") if counts[noun]]
    return " and ".join(parts)


def obstacle(gap: Gap, data: Mapping[str, Data]) -> str:
    """Why a metric cannot be measured, and what helps; empty where it can."""
    if not gap.sources:
        place = without_passwords(gap.record.storage.full_url(gap.record.root))
        return (
            f"neither its answers nor its model is stored; delete {place}, and the next run computes it again, "
            "metrics included"
        )
    if gap.cell.data not in data:
        return "it is of an earlier call, whose data this call does not read; run that call with the plug-in"
    return ""


def without_value(gap: Gap, reason: str) -> str:
    return f"The metric {', '.join(gap.metric.names)} has no value for {gap.label}: {reason}."
