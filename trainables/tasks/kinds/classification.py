"""Classification: one text or a pair, and its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainables.tasks.codec import Example
from trainables.tasks.fields import Fields, value_at
from trainables.tasks.findings import Findings
from trainables.tasks.kinds.sequence import SequenceKind, SequenceRow, read_texts
from trainables.tasks.labels import read_label, training_classes
from trainables.tasks.tables import Table, TableRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trainables.config import TaskConfig


@dataclass(frozen=True)
class ClassificationRow(SequenceRow):
    """One text or a pair, and the index of its class."""

    label: int


class Classification(SequenceKind[ClassificationRow]):
    """One class of several for each text or pair."""

    name = "classification"
    metrics = ("accuracy", "f1", "matthews_correlation")
    row = ClassificationRow
    verb = "classify"

    def classes(self, task: TaskConfig, train: Table, findings: Findings) -> tuple[str, ...]:
        """The classes that the config names, else those of the training split; empty where neither gives any."""
        return training_classes(task, train, [value_at(record, task.label) for _, record in train.records], findings)

    def stratum(self, task: TaskConfig, record: TableRecord) -> str:
        """The label as text, so that 1 and "1" are one class."""
        return str(value_at(record, task.label))

    def blank(self, task: TaskConfig, record: TableRecord, classes: Sequence[str]) -> TableRecord:
        return {task.label: classes[0]}

    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[ClassificationRow]:
        value = record.value(task.label, "label")
        label = 0 if value is None else read_label(value, task, record, classes)
        return [ClassificationRow(read_texts(task, record), label)]

    def fault(self, row: ClassificationRow, classes: Sequence[str]) -> str | None:
        """Reports a label out of range."""
        if type(row.label) is int and 0 <= row.label < len(classes):
            return None
        return f"the label {row.label!r}; it has {len(classes)} classes"

    def predict(
        self,
        rows: Sequence[ClassificationRow],
        questions: Sequence[Example],
        answers: Sequence[NDArray[np.floating]],
    ) -> list[int]:
        """The most probable class of each row."""
        return [int(logits_C.argmax()) for logits_C in answers]

    def shown(self, predicted: Sequence[int], names: Sequence[str]) -> list[str]:
        """The name of each class."""
        return [names[index] for index in predicted]

    def read_shown(self, shown: Sequence[str], classes: Mapping[str, int]) -> list[int]:
        """The index of each class."""
        return [classes[name] for name in shown]

    def references(self, rows: Sequence[ClassificationRow]) -> list[int]:
        """The class of each row."""
        return [row.label for row in rows]

    def score(
        self, rows: Sequence[ClassificationRow], predicted: Sequence[int], classes: Sequence[str] = ()
    ) -> dict[str, float]:
        """Accuracy; F1 of class 1 for two classes (as for MRPC and QQP), else its mean over the classes; and Matthews'
        correlation (as for CoLA), -1 to 1, which is 0 where all predictions or all labels are one class."""
        from sklearn.metrics import f1_score, matthews_corrcoef

        labels = self.references(rows)
        num_right = sum(p == label for p, label in zip(predicted, labels, strict=True))
        average: Any = "binary" if len(classes) == 2 else "macro"
        f1 = f1_score(labels, predicted, average=average, zero_division=0)  # pyright: ignore[reportArgumentType]: stubs say str
        are_alike = len({*labels, *predicted}) == 1  # scikit-learn would warn
        matthews = 0.0 if are_alike else matthews_corrcoef(labels, predicted)
        return {"accuracy": num_right / len(labels), "f1": float(f1), "matthews_correlation": float(matthews)}

    def row_scores(self, rows: Sequence[ClassificationRow], predicted: Sequence[int]) -> list[float]:
        """1 for the right class, else 0."""
        return [float(row.label == each) for row, each in zip(rows, predicted, strict=True)]

    def guesses(self, rows: Sequence[ClassificationRow]) -> list[int]:
        """The commonest class for each row."""
        labels = self.references(rows)
        return [max(sorted(set(labels)), key=labels.count)] * len(rows)

    def chance(self, rows: Sequence[ClassificationRow], classes: Sequence[str] = ()) -> dict[str, float]:
        """The metrics of a model that always predicts the commonest class."""
        return self.score(rows, self.guesses(rows), classes)
