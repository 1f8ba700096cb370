"""Metrics of a person's own, beside those that a task kind has: what plug-ins register, and how it is measured."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Compute = Callable[[Sequence[Any], Sequence[Any]], Mapping[str, float]]
"""Takes what a model gave for each row of a split, and what was right (a kind's `predict` and `references`).

classification: class indices and class indices. regression: numbers and numbers. token_classification: for each row
the class indices of its words, -1 where a word was cut off, and the right ones. generation and question_answering:
texts, and for each row its references. multiple_choice: the log-likelihoods of each row's choices in nats, and the
index of the right one.
"""


@dataclass(frozen=True)
class Metric:
    """One or more numbers of a split; `compute` gives each of `names`, logged as `eval/<name>` and `test/<name>`."""

    kind: str
    """The task kind that it measures."""
    names: tuple[str, ...]
    compute: Compute

    def __post_init__(self) -> None:
        if not self.names or not all(re.fullmatch(r"[a-z0-9_]+", name) for name in self.names):
            raise ValueError(f"names: got {self.names!r}; at least one, each of lower-case letters, digits and _")

    @property
    def name(self) -> str:
        """What it is known by."""
        return f"{self.kind}: {', '.join(self.names)}"


METRICS: dict[str, Metric] = {}
"""The metrics of plug-ins, by name."""


def measured(
    kind: str, predictions: Sequence[Any], references: Sequence[Any], taken: Collection[str]
) -> dict[str, float]:
    """What the plug-ins' metrics for a task kind give. Raises ValueError where one keeps its word badly.

    `taken` are the names that the kind's own metrics have.
    """
    values: dict[str, float] = {}
    for metric in METRICS.values():
        if metric.kind != kind:
            continue
        given = {name: float(value) for name, value in metric.compute(predictions, references).items()}
        if set(given) != set(metric.names):
            raise ValueError(f"metric {metric.name}: gives {', '.join(sorted(given)) or 'nothing'}")
        if again := sorted(set(given) & {*taken, *values, "loss"}):
            raise ValueError(f"metric {metric.name}: {again[0]} is measured already; a name of its own")
        if wrong := [name for name, value in given.items() if not math.isfinite(value)]:
            raise ValueError(f"metric {metric.name}: {wrong[0]} is {given[wrong[0]]}; a finite number")
        values |= given
    return values
