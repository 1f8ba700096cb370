"""Metrics from plug-ins, beside those of the task kinds, and their computation."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

Compute = Callable[[Sequence[Any], Sequence[Any]], Mapping[str, float]]
"""Takes the predictions and the references for the rows of a split (a kind's `predict` and `references`).

classification: class indices, and class indices. regression: numbers, and numbers. token_classification: the class
indices of each row's words, with -1 for a word that was not read, and the right ones. generation and
question_answering: texts, and each row's references. multiple_choice: the log-likelihoods of each row's choices in
nats, and the index of the right one.
"""


@dataclass(frozen=True)
class Metric:
    """One or more numbers per split; `compute` returns all of `names`, logged as `eval/<name>` and `test/<name>`."""

    kind: str
    """The task kind that it is for."""
    names: tuple[str, ...]
    compute: Compute

    def __post_init__(self) -> None:
        if not self.names or not all(re.fullmatch(r"[a-z0-9_]+", name) for name in self.names):
            raise ValueError(
                f"names: got {self.names!r}; expected one or more, each of lower-case letters, digits and _"
            )

    @property
    def name(self) -> str:
        """Its name in messages and in `METRICS`."""
        return f"{self.kind}: {', '.join(self.names)}"


METRICS: dict[str, Metric] = {}
"""The metrics of plug-ins, by name."""


def of_kind(kind: str) -> list[Metric]:
    """The plug-ins' metrics for a task kind."""
    return [metric for metric in METRICS.values() if metric.kind == kind]


def names(kind: str) -> list[str]:
    """The names of the plug-ins' metrics for a task kind."""
    return [name for metric in of_kind(kind) for name in metric.names]


def measured(
    kind: str, predictions: Sequence[Any], references: Sequence[Any], taken: Collection[str], main: str
) -> dict[str, float]:
    """The values of the plug-ins' metrics for a task kind, in training.

    `taken` holds the names of the kind's own metrics, `main` is the metric that chooses the best model. Any other
    metric is left out where it fails, since the training does not depend on it. Raises what `value_of` raises for the
    main one.
    """
    values: dict[str, float] = {}
    for metric in of_kind(kind):
        try:
            values |= value_of(metric, predictions, references, {*taken, *values})
        except Exception as error:  # a plug-in's own code may raise anything
            if main in metric.names:
                raise
            logger.warning("the metric %s is left out: %s: %s", metric.name, type(error).__name__, error)
    return values


def value_of(
    metric: Metric, predictions: Sequence[Any], references: Sequence[Any], taken: Collection[str]
) -> dict[str, float]:
    """The values of one metric.

    Raises what the metric raises, and ValueError where it returns other names than its own, a name that is taken, or a
    number that is not finite.
    """
    values = _computed(metric, predictions, references, taken)
    if wrong := [name for name in metric.names if not math.isfinite(values[name])]:
        raise ValueError(f"metric {metric.name}: {wrong[0]} is {values[wrong[0]]}; expected a finite number")
    return values


def computed(
    kind: str, predictions: Sequence[Any], references: Sequence[Any], taken: Collection[str]
) -> dict[str, float]:
    """The values of all metrics for a task kind, where a number need not be finite. Raises as `value_of` does."""
    values: dict[str, float] = {}
    for metric in of_kind(kind):
        values |= _computed(metric, predictions, references, {*taken, *values})
    return values


def _computed(
    metric: Metric, predictions: Sequence[Any], references: Sequence[Any], taken: Collection[str]
) -> dict[str, float]:
    scores = {name: float(value) for name, value in metric.compute(predictions, references).items()}
    if set(scores) != set(metric.names):
        raise ValueError(f"metric {metric.name}: gives {', '.join(sorted(scores)) or 'nothing'}")
    if duplicates := sorted(set(scores) & {*taken, "loss"}):
        raise ValueError(f"metric {metric.name}: {duplicates[0]} is measured already; give it a name of its own")
    return scores
