"""The metrics of a model that knows nothing: what a share of the way counts from, and a trial of plug-ins' metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainables import own_metrics
from trainables.errors import Problem
from trainables.tasks.kinds import KINDS
from trainables.tasks.kinds.base import Kind
from trainables.tasks.rows import Data, Row

if TYPE_CHECKING:
    from trainables.config import TaskConfig

NUM_TRIED = 2
"""The rows on which a plug-in's metric is tried."""


def chance(task: TaskConfig, rows: Sequence[Row], classes: Sequence[str]) -> float:
    """The main metric of guessing; 0 where a plug-in's metric gives no number for guesses, as a correlation does."""
    kind = KINDS[task.kind]
    known, main = kind.chance(rows, classes), kind.main_metric(task)
    if main in known:
        return known[main]
    value = _of_guesses(kind, rows)[main]
    return value if math.isfinite(value) else 0.0


def metric_problems(task: TaskConfig, data: Data) -> list[Problem]:
    """What is wrong with the plug-ins' metrics for the task, found by guesses for a few of its rows."""
    kind = KINDS[task.kind]
    if not own_metrics.names(kind.name):
        return []
    try:
        _of_guesses(kind, data.test[:NUM_TRIED])
    except Exception as error:  # a plug-in's own code may raise anything
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return [Problem("metric", f"the metrics of plug-ins fail on {NUM_TRIED} rows with guesses: {reason}")]
    return []


def _of_guesses(kind: Kind[Any], rows: Sequence[Row]) -> dict[str, float]:
    return own_metrics.computed(kind.name, kind.guesses(rows), kind.references(rows), taken=kind.metrics)
