"""Turns the records of a task's splits into rows, and reports all errors together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.errors import InputError, Problem
from trainables.seeds import generator
from trainables.tasks.fields import Fields
from trainables.tasks.findings import Findings
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data, Row
from trainables.tasks.tables import Table

if TYPE_CHECKING:
    from trainables.config import TaskConfig


def read_tables(task: TaskConfig, tables: Mapping[str, Table], findings: Findings) -> Data:
    """The data in the tables of the splits; raises InputError with one problem per file, field and sort of error."""
    kind = KINDS[task.kind]
    classes = kind.classes(task, tables["train"], findings)
    splits: dict[str, list[Row]] = {
        split: [
            row
            for number, record in table.records
            for row in kind.read(task, Fields(table.path, number, record, findings), classes)
        ]
        for split, table in tables.items()
    }
    for split, rows in splits.items() if not findings.problems() else ():
        if fault := kind.split_fault(rows):
            findings.add("label", repr(task.label), f"{Path(tables[split].path).name}: {fault}")
    if problems := findings.problems():
        raise InputError(problems)
    return Data.of({**splits, "train": _sample(splits["train"], task)}, classes)


def _sample(rows: list[Row], task: TaskConfig) -> list[Row]:
    """The rows of the training split that `task.sample` draws, in their order."""
    if task.sample is None:
        return rows
    if task.sample.train > len(rows):
        raise InputError([Problem("sample.train", f"got {task.sample.train}; the training split has {len(rows)} rows")])
    indices = generator(task.sample.seed, "sample").sample(range(len(rows)), task.sample.train)
    return [rows[index] for index in sorted(indices)]
