"""Tasks: where a task's rows come from. One file a source; `read` takes a task's config to its data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from trainables.tasks.generators import generated
from trainables.tasks.rows import Data

if TYPE_CHECKING:
    from trainables.config import TaskConfig


def read(task: TaskConfig) -> Data:
    """All three splits of a task; raises InputError with every problem, paths relative to the task."""
    # Imported when asked for: datasets takes a second.
    if task.files is not None:
        return import_module("trainables.tasks.files").read_files(task)
    assert task.generated is not None
    return generated(task.generated)
