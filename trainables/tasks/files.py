"""Tasks from a user's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.tasks.findings import Findings
from trainables.tasks.reading import read_tables
from trainables.tasks.rows import SPLITS, Data
from trainables.tasks.tables import read_table

if TYPE_CHECKING:
    from trainables.config import TaskConfig


def read_files(task: TaskConfig) -> Data:
    """The data of a task's files; raises InputError with one problem per file, field and sort of error."""
    assert task.files is not None
    findings = Findings()
    tables = {split: read_table(getattr(task.files, split), f"files.{split}", findings) for split in SPLITS}
    return read_tables(task, tables, findings)
