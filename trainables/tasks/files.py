"""Tasks from a user's own files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.errors import InputError, Problem
from trainables.tasks.findings import Findings
from trainables.tasks.kinds import KINDS
from trainables.tasks.reading import read_tables
from trainables.tasks.rows import SPLITS, Data
from trainables.tasks.splits import choose, hold_out
from trainables.tasks.tables import Table, read_table

if TYPE_CHECKING:
    from trainables.config import TaskConfig


def read_files(task: TaskConfig) -> Data:
    """The data of a task's files; raises InputError with one problem per file, field and sort of error."""
    assert task.files is not None
    findings = Findings()
    paths = {split: path for split in SPLITS if (path := getattr(task.files, split)) is not None}
    tables = {split: read_table(path, f"files.{split}", findings) for split, path in paths.items()}
    lacking = [split for split in SPLITS if split not in paths and split not in (task.splits or {})]
    problems = [Problem(f"files.{split}", f"got null; name a file, or {hold_out(split)}") for split in lacking]
    if problems or (task.splits and findings.problems()):  # the splits of damaged files are others
        raise InputError(problems + findings.problems())
    return read_tables(task, _split(task, tables) if task.splits else tables, findings)


def _split(task: TaskConfig, tables: Mapping[str, Table]) -> dict[str, Table]:
    """The tables of the task's splits, whose rows `task.splits` takes from those of the files."""
    kind = KINDS[task.kind]
    parts = choose(
        {split: len(table.records) for split, table in tables.items()},
        task.splits or {},
        lambda split, row: kind.stratum(task, tables[split].records[row][1]),
    )
    chosen: dict[str, Table] = {}
    for name, places in parts.items():
        files = list(dict.fromkeys(Path(tables[split].path).name for split, _ in places))
        records = [tables[split].records[row] for split, rows in places for row in rows]
        chosen[name] = Table(" and ".join(files) or name, f"splits.{name}", records)
    return chosen
