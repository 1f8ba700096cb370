"""Tasks: where a task's rows come from. One file a source; `read` takes a task's config to its data."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from trainables.tasks.rows import Data, Row

if TYPE_CHECKING:
    from trainables.config import Generated, TaskConfig


def read(task: TaskConfig) -> Data:
    """All three splits of a task; raises InputError with every problem, paths relative to the task."""
    # Sources are imported when asked for: babel and datasets take a second each.
    if task.files is not None:
        return import_module("trainables.tasks.files").read_files(task)
    assert task.generated is not None
    source = import_module(f"trainables.tasks.{task.generated.generator}")
    generate: Callable[[Generated], dict[str, list[Row]]] = source.generate
    return Data.of(generate(task.generated), source.CLASSES)
