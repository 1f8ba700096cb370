"""Multiple choice by log-likelihood: the answer is the likeliest choice after the context.

It follows lm-evaluation-harness (`output_type: multiple_choice`): a choice follows the context after one space; its
score is the sum of log p over its tokens, and its normalised score divides the sum by its number of characters.
A model is trained on the right choice as a completion of the context, only on the tokens that are scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainables.tasks.choices import FORMATS
from trainables.tasks.codec import Codec, Example, completions
from trainables.tasks.fields import Fields, brief, value_at
from trainables.tasks.kinds.language_model import LanguageModelKind
from trainables.tasks.rows import Row
from trainables.tasks.tables import TableRecord

if TYPE_CHECKING:
    from trainables.config import TaskConfig

DELIMITER = " "
"""The text between context and choice."""
NUM_CHOICES = 4
"""The number of choices per question that a plan's cost assumes."""


@dataclass(frozen=True)
class MultipleChoiceRow(Row):
    """A context, its possible continuations, and the index of the right one."""

    context: str
    choices: tuple[str, ...]
    label: int


class MultipleChoice(LanguageModelKind[MultipleChoiceRow]):
    """The model reads the context with one choice at a time."""

    name = "multiple_choice"
    answer = "log_likelihood"
    metrics = ("accuracy", "accuracy_norm")
    row = MultipleChoiceRow
    cut_at = "left"
    remark = "A choice's score is the sum of log p over its tokens, after the context and one space."

    def blank(self, task: TaskConfig, record: TableRecord, classes: Sequence[str]) -> TableRecord:
        marks = value_at(record, task.choice_labels) if task.choice_labels else [0]
        return {task.label: marks[0] if isinstance(marks, list) and marks else 0}

    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[MultipleChoiceRow]:
        texts = record.texts(task.choices, "choices", least=2)
        marks = _marks(task, record, len(texts))
        context, choices = FORMATS[task.choice_format](task, record, texts, marks)
        return [MultipleChoiceRow(context, tuple(choices), _label(task, record, marks))]

    def fault(self, row: MultipleChoiceRow, classes: Sequence[str]) -> str | None:
        """Reports too few choices, or a label out of range."""
        num_choices = len(row.choices)
        if num_choices < 2:
            return f"{num_choices} choices; 2 or more are needed"
        return None if 0 <= row.label < num_choices else f"the label {row.label}; it has {num_choices} choices"

    def input(self, row: MultipleChoiceRow) -> str:
        """The context."""
        return row.context

    def texts(self, row: MultipleChoiceRow) -> Iterable[str]:
        return (row.context, *row.choices)

    def encode(self, rows: Sequence[MultipleChoiceRow], codec: Codec) -> list[Example]:
        """The right choices. What exceeds `task.max_length` is cut from the start of the context."""
        return self._encode(rows, [[row.choices[row.label]] for row in rows], codec)

    def questions(self, rows: Sequence[MultipleChoiceRow], codec: Codec) -> list[Example]:
        """Every choice of every row."""
        return self._encode(rows, [row.choices for row in rows], codec)

    def predict(
        self, rows: Sequence[MultipleChoiceRow], questions: Sequence[Example], answers: Sequence[float]
    ) -> list[list[float]]:
        """The log-likelihood of each choice of each row, in nats."""
        sums = iter(answers)
        return [[next(sums) for _ in row.choices] for row in rows]

    def references(self, rows: Sequence[MultipleChoiceRow]) -> list[int]:
        """The index of each row's right choice."""
        return [row.label for row in rows]

    def score(
        self, rows: Sequence[MultipleChoiceRow], predicted: Sequence[Sequence[float]], classes: Sequence[str] = ()
    ) -> dict[str, float]:
        """The share of rows whose likeliest choice is right, by the sums and by the sums per character."""
        plain = normalised = 0
        for row, sums in zip(rows, predicted, strict=True):
            per_character = [total / max(len(choice), 1) for total, choice in zip(sums, row.choices, strict=True)]
            plain += _first_best(sums) == row.label
            normalised += _first_best(per_character) == row.label
        return {"accuracy": plain / len(rows), "accuracy_norm": normalised / len(rows)}

    def guesses(self, rows: Sequence[MultipleChoiceRow]) -> list[list[float]]:
        """The same log-likelihood for every choice."""
        return [[0.0] * len(row.choices) for row in rows]

    def chance(self, rows: Sequence[MultipleChoiceRow], classes: Sequence[str] = ()) -> dict[str, float]:
        """The mean of 1 / (number of choices) over the rows."""
        return dict.fromkeys(self.metrics, sum(1 / len(row.choices) for row in rows) / len(rows))

    def tokens_per_answer(self, task: TaskConfig) -> int:
        """One pass per choice."""
        return NUM_CHOICES * task.max_length

    def _encode(
        self, rows: Sequence[MultipleChoiceRow], choices: Sequence[Sequence[str]], codec: Codec
    ) -> list[Example]:
        pairs = [
            (codec.task.prefix + row.context, DELIMITER + choice)
            for row, chosen in zip(rows, choices, strict=True)
            for choice in chosen
        ]
        contexts, targets = [context for context, _ in pairs], [target for _, target in pairs]
        return completions(contexts, targets, codec, end=False)


def _first_best(scores: Sequence[float]) -> int:
    return max(range(len(scores)), key=scores.__getitem__)


def _marks(task: TaskConfig, record: Fields, num_choices: int) -> list[str]:
    """What a label calls the choices: the marks in the data, else their numbers from 0."""
    if task.choice_labels is None:
        return [str(number) for number in range(num_choices)]
    marks = record.texts(task.choice_labels, "choice_labels")
    if marks and num_choices and len(marks) != num_choices:
        sort = "as many labels as choices are needed"
        record.wrong("choice_labels", task.choice_labels, sort, f"{len(marks)} for {num_choices}")
    return marks


def _label(task: TaskConfig, record: Fields, marks: list[str]) -> int:
    value: Any = record.value(task.label, "label")
    if value is None or not marks:
        return 0
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value) in marks:
        return marks.index(str(value))
    if value == "":
        record.wrong("label", task.label, "a label is needed, and '' is none; give a split with labels", "''")
    else:
        shown = ", ".join(marks) if task.choice_labels else f"0 to {len(marks) - 1}, as there are {len(marks)} choices"
        record.wrong("label", task.label, f"the labels are {shown}", brief(value))
    return 0
