"""Tasks: where their rows come from, with one file per source and one per kind; `read` loads a task's data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from trainables import own_metrics
from trainables.errors import InputError, Problem
from trainables.tasks.generators import generated
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data

if TYPE_CHECKING:
    from trainables.config import TaskConfig


def read(task: TaskConfig) -> Data:
    """All splits of a task; raises InputError with every problem, paths relative to the task."""
    if problems := check(task):
        raise InputError(problems)
    # Imported only when needed: importing datasets takes a second.
    if task.files is not None:
        return import_module("trainables.tasks.files").read_files(task)
    if task.hub is not None:
        return import_module("trainables.tasks.hub").read_hub(task)
    assert task.generated is not None
    return generated(task.generated, task.kind)


def check(task: TaskConfig) -> list[Problem]:
    """What is wrong with a task's kind and the fields that it needs, without looking at the data."""
    if task.kind not in KINDS:
        return [Problem("kind", f"got {task.kind!r}; expected one of {', '.join(KINDS)}")]
    kind = KINDS[task.kind]
    problems = kind.check(task)
    metrics = (*kind.metrics, *own_metrics.names(kind.name))
    if task.metric is not None and task.metric not in metrics:
        problems.append(Problem("metric", f"got {task.metric!r}; the metrics of {kind.name} are {', '.join(metrics)}"))
    return problems
