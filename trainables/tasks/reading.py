"""The records of a task's splits to its rows, with everything that is wrong in one answer."""

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


def read_tables(task: TaskConfig, tables: Mapping[str, Table], found: Findings) -> Data:
    """The data in the tables of the splits; raises InputError with every finding, one a file, field and sort."""
    kind = KINDS[task.kind]
    classes = kind.classes(task, tables["train"], found)
    splits: dict[str, list[Row]] = {
        split: [
            row
            for number, record in table.records
            for row in kind.read(task, Fields(table.path, number, record, found), classes)
        ]
        for split, table in tables.items()
    }
    for split, rows in splits.items() if not found.problems() else ():
        if fault := kind.split_fault(rows):
            found.add("label", repr(task.label), f"{Path(tables[split].path).name}: {fault}")
    if problems := found.problems():
        raise InputError(problems)
    return Data.of({**splits, "train": _drawn(splits["train"], task)}, classes)


def _drawn(rows: list[Row], task: TaskConfig) -> list[Row]:
    """As many rows of the training split as `task.sample` says, drawn by its seed, in their order."""
    if task.sample is None:
        return rows
    if task.sample.train > len(rows):
        raise InputError([Problem("sample.train", f"got {task.sample.train}; the training split has {len(rows)} rows")])
    chosen = generator(task.sample.seed, "sample").sample(range(len(rows)), task.sample.train)
    return [rows[index] for index in sorted(chosen)]
