"""Token classification: words, and a class for each of them, such as the tags of entities (CoNLL-2003).

A model reads the words of a row as one text, joined by spaces. A word's class is learnt and predicted at the first
token that begins in it, so that a pipeline, which reads the text, predicts at the same tokens.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainables.errors import Problem
from trainables.tasks.codec import IGNORED, Codec, Example
from trainables.tasks.fields import Fields, brief, value_at
from trainables.tasks.findings import Findings
from trainables.tasks.kinds.base import Kind
from trainables.tasks.labels import read_label, training_classes
from trainables.tasks.rows import Row
from trainables.tasks.tables import Table, TableRecord
from trainables.tasks.words import Firsts, encoded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trainables.config import TaskConfig
    from trainables.families.base import Form

TAG = re.compile(r"O|[BIES]-.+")
"""An entity tag in the schemes IOB1, IOB2, IOE and IOBES."""
OUTSIDE = "O"
UNREAD = -1
"""The prediction for a word that the model does not read, because it was cut off or has no tokens."""


@dataclass(frozen=True)
class TokenClassificationRow(Row):
    """Words, and the index of each word's class."""

    words: tuple[str, ...]
    labels: tuple[int, ...]


class TokenClassification(Kind[TokenClassificationRow]):
    """Loss terms cover the first tokens of words; hidden terms cover all real tokens, as in every kind."""

    name = "token_classification"
    metrics = ("f1", "accuracy")
    head_name = "token_classification"
    answer = "outputs"
    row = TokenClassificationRow
    remark = "The class of a word is the one predicted at its first token."

    def check(self, task: TaskConfig) -> list[Problem]:
        if task.text and len(task.text) == 1:
            return []
        fields = ", ".join(task.text) if task.text else "null"
        return [Problem("text", f"got {fields}; {self.name} needs one field, which holds the words")]

    def classes(self, task: TaskConfig, train: Table, findings: Findings) -> tuple[str, ...]:
        """The classes that the config names, else those of the training split; entity F1 needs entity tags."""
        values = [label for _, record in train.records for label in _split(value_at(record, task.label))]
        classes = training_classes(task, train, values, findings)
        others = [name for name in classes if not TAG.fullmatch(name)]
        if others and self.main_metric(task) == self.metrics[0]:
            needed = "f1 needs tags of entities, such as O, B-PER and I-PER: name them here, or give metric: accuracy"
            findings.add("classes", _few(others), needed, "" if task.classes else train.path)
        return classes

    def blank(self, task: TaskConfig, record: TableRecord, classes: Sequence[str]) -> TableRecord:
        assert task.text is not None
        return {task.label: [classes[0]] * len(_split(value_at(record, task.text[0])))}

    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[TokenClassificationRow]:
        assert task.text is not None
        words = _list(task.text[0], "text[0]", record, "a list of words is needed, or a text")
        labels = _list(task.label, "label", record, "a list with a label for each word is needed, or a text")
        if not words or not labels:
            return []
        if not all(isinstance(word, str) for word in words):
            record.wrong("text[0]", task.text[0], "a list of words is needed, or a text", brief(words))
            return []
        if len(labels) != len(words):
            record.wrong("label", task.label, "as many labels as words are needed", f"{len(labels)} for {len(words)}")
            return []
        indices = tuple(read_label(label, task, record, classes) for label in labels)
        return [TokenClassificationRow(tuple(words), indices)]

    def fault(self, row: TokenClassificationRow, classes: Sequence[str]) -> str | None:
        """Reports no words, a wrong number of labels, or a label out of range."""
        if not row.words or len(row.labels) != len(row.words):
            return f"{len(row.words)} words and {len(row.labels)} labels; expected one or more words, each with a label"
        wrong = [label for label in row.labels if type(label) is not int or not 0 <= label < len(classes)]
        return f"the label {wrong[0]!r}; it has {len(classes)} classes" if wrong else None

    def input(self, row: TokenClassificationRow) -> str:
        """The words, joined by spaces."""
        return " ".join(row.words)

    def texts(self, row: TokenClassificationRow) -> Iterable[str]:
        return (" ".join(row.words),)

    def encode(self, rows: Sequence[TokenClassificationRow], codec: Codec) -> list[Example]:
        """Texts are cut to `task.max_length` tokens; positions other than first tokens of words are ignored."""
        return [
            _example(row, *each) for row, each in zip(rows, encoded([row.words for row in rows], codec), strict=True)
        ]

    def predict(
        self,
        rows: Sequence[TokenClassificationRow],
        questions: Sequence[Example],
        answers: Sequence[NDArray[np.floating]],
    ) -> list[list[int]]:
        """The most probable class of each word; -1 for a word that is not read."""
        predicted: list[list[int]] = []
        for row, question, logits_NC in zip(rows, questions, answers, strict=True):
            best = dict(zip(question["words"], logits_NC.argmax(-1).tolist(), strict=True))
            predicted.append([best.get(word, UNREAD) for word in range(len(row.words))])
        return predicted

    def shown(self, predicted: Sequence[Sequence[int]], names: Sequence[str]) -> list[list[str | None]]:
        """The name of each word's class; null for a word that is not read."""
        return [[None if label == UNREAD else names[label] for label in labels] for labels in predicted]

    def read_shown(self, shown: Sequence[Sequence[str | None]], classes: Mapping[str, int]) -> list[list[int]]:
        """The index of each word's class; -1 for a word that is not read."""
        return [[UNREAD if name is None else classes[name] for name in names] for names in shown]

    def references(self, rows: Sequence[TokenClassificationRow]) -> list[tuple[int, ...]]:
        """The classes of each row's words."""
        return [row.labels for row in rows]

    def score(
        self, rows: Sequence[TokenClassificationRow], predicted: Sequence[Sequence[int]], classes: Sequence[str] = ()
    ) -> dict[str, float]:
        """F1 of entities over all rows, as conlleval computes it, where the classes are entity tags; accuracy of words.

        A word that is not read is in no entity, and never right.
        """
        pairs = [
            pair for row, labels in zip(rows, predicted, strict=True) for pair in zip(row.labels, labels, strict=True)
        ]
        accuracy = {"accuracy": sum(right == label for right, label in pairs) / len(pairs)}
        if not all(TAG.fullmatch(name) for name in classes):
            return accuracy
        names = {UNREAD: OUTSIDE, **dict(enumerate(classes))}
        right = [[names[label] for label in row.labels] for row in rows]
        answers = [[names[label] for label in labels] for labels in predicted]
        return {"f1": entity_f1(right, answers), **accuracy}

    def row_scores(self, rows: Sequence[TokenClassificationRow], predicted: Sequence[Sequence[int]]) -> list[float]:
        """The share of the words whose class is right."""
        return [
            sum(right == label for right, label in zip(row.labels, each, strict=True)) / len(row.words)
            for row, each in zip(rows, predicted, strict=True)
        ]

    def guesses(self, rows: Sequence[TokenClassificationRow]) -> list[list[int]]:
        """The commonest class for each word."""
        counts = Counter(label for row in rows for label in row.labels)
        commonest = max(sorted(counts), key=counts.__getitem__)
        return [[commonest] * len(row.words) for row in rows]

    def chance(self, rows: Sequence[TokenClassificationRow], classes: Sequence[str] = ()) -> dict[str, float]:
        """The metrics of a model that gives every word the commonest class."""
        return self.score(rows, self.guesses(rows), classes)

    def pipeline(self, form: Form) -> str:
        return "token-classification"

    def usage(self, task: TaskConfig, form: Form, folder: str) -> list[str]:
        return [
            "from transformers import pipeline",
            f'label = pipeline("token-classification", model={folder}, aggregation_strategy="first")',
            f"print(label({json.dumps('your text')}))",
        ]


def entity_f1(right: Sequence[Sequence[str]], given: Sequence[Sequence[str]]) -> float:
    """F1 of entities by their tags: one is found where its type, first and last word are right; 0 where there is none.

    Tags that break their scheme are read as conlleval reads them: an I- that follows no entity of its type begins one.
    """
    from seqeval import metrics  # pyright: ignore[reportMissingTypeStubs]

    f1_score: Any = metrics.f1_score  # it takes 0 for `zero_division`, which its annotations do not say
    return float(f1_score(right, given, average="micro", zero_division=0))


def _example(row: TokenClassificationRow, ids: list[int], firsts: Firsts) -> Example:
    labels = [IGNORED] * len(ids)
    for word, position in firsts.items():
        labels[position] = row.labels[word]
    return {"input_ids": ids, "token_labels": labels, "words": list(firsts)}


def _split(value: Any) -> list[Any]:
    """A list, or the words of a text; empty for anything else."""
    return value.split() if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else []


def _list(name: str, field: str, record: Fields, needed: str) -> list[Any]:
    """The items of a field's list or text; empty, after recording a finding, where there are none."""
    value = record.value(name, field)
    parts = _split(value)
    if value is not None and not parts:
        record.wrong(field, name, needed, brief(value))
    return parts


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
