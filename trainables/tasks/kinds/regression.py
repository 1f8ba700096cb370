"""Regression: one text or a pair, and a number, such as the similarity of two sentences (STS-B)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from trainables.errors import Problem
from trainables.heads import Head
from trainables.tasks.codec import Example
from trainables.tasks.fields import Fields, brief
from trainables.tasks.kinds.sequence import SequenceKind, SequenceRow, read_texts
from trainables.tasks.tables import TableRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trainables.config import TaskConfig

OUTPUT = "score"
"""The name of the one output, which a pipeline shows."""


@dataclass(frozen=True)
class RegressionRow(SequenceRow):
    """One text or a pair, and its number."""

    label: float


class Regression(SequenceKind[RegressionRow]):
    """One number per text or pair, learnt by squared errors: from the label in place of cross entropy, and from the
    teacher's number in place of KL. The data's numbers are neither scaled nor clipped."""

    name = "regression"
    metrics = ("pearson", "spearman")
    loss = "squared_error"
    row = RegressionRow
    verb = "rate"

    def head(self, classes: Sequence[str]) -> Head:
        """A head with one output."""
        return Head(self.head_name, (OUTPUT,), self.loss)

    def check(self, task: TaskConfig) -> list[Problem]:
        problems = super().check(task)
        if task.classes:
            problems.append(Problem("classes", f"got {', '.join(task.classes)}; a regression has none: leave them out"))
        return problems

    def blank(self, task: TaskConfig, record: TableRecord, classes: Sequence[str]) -> TableRecord:
        return {task.label: 0.0}

    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[RegressionRow]:
        return [RegressionRow(read_texts(task, record), _number(task.label, record))]

    def fault(self, row: RegressionRow, classes: Sequence[str]) -> str | None:
        """Reports a label that is not a finite number."""
        return None if _is_number(row.label) else f"the label {row.label!r}; expected a finite number"

    def split_fault(self, rows: Sequence[RegressionRow]) -> str | None:
        """Reports equal labels in all rows, such as -1 for hidden labels, with which no correlation is defined."""
        labels = {row.label for row in rows}
        return None if len(labels) > 1 else f"labels that differ are needed; all are {labels.pop():g}"

    def predict(
        self, rows: Sequence[RegressionRow], questions: Sequence[Example], answers: Sequence[NDArray[np.floating]]
    ) -> list[float]:
        """The model's number for each row."""
        return [float(output_1[0]) for output_1 in answers]

    def references(self, rows: Sequence[RegressionRow]) -> list[float]:
        """The number of each row."""
        return [row.label for row in rows]

    def score(
        self, rows: Sequence[RegressionRow], predicted: Sequence[float], classes: Sequence[str] = ()
    ) -> dict[str, float]:
        """Pearson's and Spearman's correlation, -1 to 1; 0 where all predictions, or all labels, are the same."""
        from scipy.stats import pearsonr, spearmanr

        labels = self.references(rows)
        if len(set(labels)) < 2 or len(set(predicted)) < 2:  # no correlation is defined
            return dict.fromkeys(self.metrics, 0.0)
        pearson: Any = pearsonr(predicted, labels)
        spearman: Any = spearmanr(predicted, labels)
        return {"pearson": float(pearson.statistic), "spearman": float(spearman.statistic)}

    def row_scores(self, rows: Sequence[RegressionRow], predicted: Sequence[float]) -> list[float]:
        """The squared error, since a correlation needs many rows; lower is better."""
        return [(row.label - each) ** 2 for row, each in zip(rows, predicted, strict=True)]

    def guesses(self, rows: Sequence[RegressionRow]) -> list[float]:
        """The mean number for each row."""
        labels = self.references(rows)
        return [sum(labels) / len(labels)] * len(rows)

    def chance(self, rows: Sequence[RegressionRow], classes: Sequence[str] = ()) -> dict[str, float]:
        """The metrics of a model that gives every row the same number."""
        return dict.fromkeys(self.metrics, 0.0)


def _number(name: str, record: Fields) -> float:
    """A number, also as text, as in CSV; 0, after recording a finding, where there is none."""
    value = record.value(name, "label")
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if _is_number(number):
        return float(number)
    if value is not None:
        record.wrong("label", name, "a finite number is needed", brief(value))
    return 0.0


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
