"""Tasks from a person's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.tasks.findings import Findings
from trainables.tasks.reading import read_tables
from trainables.tasks.rows import SPLITS, Data
from trainables.tasks.tables import read_table

if TYPE_CHECKING:
    from trainables.config import TaskConfig


def read_files(task: TaskConfig) -> Data:
    """The data of a task's files; raises InputError with every problem, one a file, field and sort."""
    assert task.files is not None
    found = Findings()
    tables = {split: read_table(getattr(task.files, split), f"files.{split}", found) for split in SPLITS}
    return read_tables(task, tables, found)
