"""Classification: one text or a pair, and its class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from trainables.errors import Problem
from trainables.tasks.codec import Codec, Example
from trainables.tasks.fields import Fields, brief, value_at
from trainables.tasks.findings import Findings
from trainables.tasks.kinds.base import Kind, Predictor
from trainables.tasks.labels import class_of, find_classes
from trainables.tasks.rows import Row
from trainables.tasks.tables import Table

if TYPE_CHECKING:
    from trainables.config import TaskConfig


@dataclass(frozen=True)
class ClassificationRow(Row):
    """One text or a pair, and the index of its class."""

    texts: tuple[str, ...]
    label: int


class Classification(Kind[ClassificationRow]):
    """An encoder reads a pair with its segments; any other form reads it as one text, joined by the separator."""

    name = "classification"
    main_metric = "accuracy"
    row = ClassificationRow

    def check(self, task: TaskConfig) -> list[Problem]:
        return [] if task.text else [Problem("text", "got null; classification needs one field or a pair")]

    def classes(self, task: TaskConfig, train: Table, found: Findings) -> tuple[str, ...]:
        """Those of the config, else those of the training split; empty where there are none to be had."""
        if task.classes:
            return tuple(task.classes)
        values = [value_at(record, task.label) for _, record in train.records]
        labels = [value for value in values if _is_label(value)]
        if not labels or found.about(train.field):
            return ()  # the table or the field is not there or not whole, and that is found elsewhere
        try:
            return find_classes(labels)
        except ValueError as error:
            if len(labels) == len(values):  # else a row's label is wrong, and that is found elsewhere
                found.add("label", repr(task.label), str(error), train.path)
            return ()

    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[ClassificationRow]:
        assert task.text is not None
        texts = tuple(record.text(name, f"text[{index}]") for index, name in enumerate(task.text))
        return [ClassificationRow(texts, _label(task, record, classes))]

    def fault(self, row: ClassificationRow, classes: Sequence[str]) -> str | None:
        """A label out of range."""
        if type(row.label) is int and 0 <= row.label < len(classes):
            return None
        return f"the label {row.label!r}; it has {len(classes)} classes"

    def texts(self, row: ClassificationRow) -> Iterable[str]:
        return row.texts

    def encode(self, rows: Sequence[ClassificationRow], codec: Codec) -> list[Example]:
        """Cut to `task.max_length` tokens, the longer text of a pair first."""
        texts = [row.texts for row in rows]
        is_encoder = codec.form == "encoder"
        if not is_encoder:
            texts = [(codec.task.separator.join(pair),) for pair in texts]
        first, second = [pair[0] for pair in texts], [pair[1] for pair in texts if len(pair) == 2]
        encoded = codec.tokenizer(
            first,
            second or None,
            truncation=True,
            max_length=codec.task.max_length,
            return_token_type_ids=is_encoder,
        )
        columns = ["input_ids", "token_type_ids"] if is_encoder else ["input_ids"]
        examples: list[Example] = [
            {column: encoded[column][index] for column in columns} for index in range(len(texts))
        ]
        for example, row in zip(examples, rows, strict=True):
            if not example["input_ids"]:  # a decoder's empty text
                example["input_ids"] = [codec.eos]
            example["label"] = [row.label]
        return examples

    def predict(self, rows: Sequence[ClassificationRow], codec: Codec, model: Predictor) -> list[int]:
        """The most probable class of each row."""
        return model.classes(self.encode(rows, codec))

    def shown(self, predicted: Sequence[int], names: Sequence[str]) -> list[str]:
        """The name of each class."""
        return [names[index] for index in predicted]

    def references(self, rows: Sequence[ClassificationRow]) -> list[int]:
        """The class of each row."""
        return [row.label for row in rows]

    def score(
        self, rows: Sequence[ClassificationRow], predicted: Sequence[int], num_classes: int = 0
    ) -> dict[str, float]:
        """Accuracy, and F1: of class 1 in a task of two classes (QQP's), the mean over the classes elsewhere."""
        from sklearn.metrics import f1_score

        labels = self.references(rows)
        num_right = sum(p == label for p, label in zip(predicted, labels, strict=True))
        average: Any = "binary" if num_classes == 2 else "macro"
        f1 = f1_score(labels, predicted, average=average, zero_division=0)  # pyright: ignore[reportArgumentType]: stubs say str
        return {"accuracy": num_right / len(labels), "f1": float(f1)}

    def chance(self, rows: Sequence[ClassificationRow]) -> float:
        """The share of the commonest class."""
        labels = self.references(rows)
        return max(labels.count(label) for label in set(labels)) / len(labels)


def _label(task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> int:
    name = task.label
    value = record.value(name, "label")
    if value is None:
        return 0
    if not _is_label(value):
        record.wrong("label", name, "an integer or text is needed", brief(value))
        return 0
    index = class_of(value, classes)
    if index is None and value == -1 and task.hub:
        record.wrong("label", name, "-1 stands for no label; in splits, give a split with labels", brief(value))
    elif index is None and classes:
        record.wrong("label", name, f"the classes are {', '.join(classes)}", brief(value))
    return index or 0


def _is_label(value: Any) -> TypeGuard[str | int]:
    return isinstance(value, str | int) and not isinstance(value, bool)
