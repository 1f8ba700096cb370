"""What a task kind is: the head of its models, and how its tasks are read, encoded, predicted and scored.

One file per kind, one entry in `trainables.tasks.kinds.KINDS`; one contract suite runs over all of them. Importing a
kind loads no torch: it gives the questions for a model, and turns the model's answers into predictions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from trainables.errors import Problem
from trainables.heads import Head, HeadName, LossName
from trainables.tasks.codec import Codec, Example
from trainables.tasks.fields import Fields
from trainables.tasks.findings import Findings
from trainables.tasks.rows import Row
from trainables.tasks.tables import Table, TableRecord

if TYPE_CHECKING:
    from trainables.config import TaskConfig
    from trainables.families.base import Form

R = TypeVar("R", bound=Row)


Answer = Literal["outputs", "text", "log_likelihood"]
"""What a model answers to one question.

outputs: the outputs of a head with labels, in fp32 or wider: [C], or [N, C] at the N labelled tokens.
text: the text that the model generates after a prompt, with the task's beams and lengths, without special tokens.
log_likelihood: the sum of log p over the labels, in nats.
"""


class Kind(ABC, Generic[R]):
    """One task kind, whose rows are of class R."""

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    """The keys of `score`; higher is better for each. The first is the default main metric."""
    head_name: ClassVar[HeadName]
    """The head of its models."""
    loss: ClassVar[LossName] = "cross_entropy"
    """The loss of its models: cross entropy and KL divergence, or squared errors in place of both."""
    row: ClassVar[type[Row]]
    """The class of its rows."""
    cut_at: ClassVar[Literal["left", "right"]] = "right"
    """The side on which inputs that are too long are cut."""
    answer: ClassVar[Answer]
    """What its models answer."""
    remark: ClassVar[str] = ""
    """A note on the answers for a student's model card."""

    @property
    def generates(self) -> bool:
        """Whether its answers are generated, with at most `task.max_new_tokens` tokens."""
        return self.answer == "text"

    def head(self, classes: Sequence[str]) -> Head:
        """The head of the models of a task with these classes."""
        return Head(self.head_name, tuple(classes), self.loss)

    def main_metric(self, task: TaskConfig) -> str:
        """The metric by which the best student is chosen."""
        return task.metric or self.metrics[0]

    def check(self, task: TaskConfig) -> list[Problem]:
        """Problems with the config of a task of this kind, with paths relative to the task."""
        return []

    def classes(self, task: TaskConfig, train: Table, findings: Findings) -> tuple[str, ...]:
        """The names of the classes; empty for a kind without classes."""
        return ()

    def stratum(self, task: TaskConfig, record: TableRecord) -> Hashable:
        """The class of a record, of which a held-out split has its share; one for all in a kind without classes."""
        return None

    @abstractmethod
    def blank(self, task: TaskConfig, record: TableRecord, classes: Sequence[str]) -> TableRecord:
        """Field of the right answer -> a valid value, with which a record without an answer can be read."""

    @abstractmethod
    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[R]:
        """The rows of one record; its errors go to `record.findings`, and then its rows are not used."""

    def fault(self, row: R, classes: Sequence[str]) -> str | None:
        """What is wrong with a generated row, such as `the label 3; it has 3 classes`; None where it is valid."""
        return None

    def split_fault(self, rows: Sequence[R]) -> str | None:
        """What valid rows lack as a split, such as labels that differ; None where they lack nothing."""
        return None

    @abstractmethod
    def input(self, row: R) -> str | tuple[str, ...]:
        """What a model is asked about the row, as a person reads it, without the task's prefix; a pair as two texts."""

    @abstractmethod
    def texts(self, row: R) -> Iterable[str]:
        """All the text of a row, to train a tokenizer on."""

    @abstractmethod
    def encode(self, rows: Sequence[R], codec: Codec) -> list[Example]:
        """One labelled example per row, for training and for measuring the loss; no input is empty."""

    def questions(self, rows: Sequence[R], codec: Codec) -> list[Example]:
        """The inputs for a model's answers, one or more per row; no input is empty."""
        return self.encode(rows, codec)

    @abstractmethod
    def predict(self, rows: Sequence[R], questions: Sequence[Example], answers: Sequence[Any]) -> list[Any]:
        """The prediction for each row, in the form that `score` takes, from the answers to all questions."""

    def shown(self, predicted: Sequence[Any], names: Sequence[str]) -> list[Any]:
        """Predictions as plain transformers gives them; `names` are the model's names of its classes."""
        return list(predicted)

    def read_shown(self, shown: Sequence[Any], classes: Mapping[str, int]) -> list[Any]:
        """The predictions of which `shown` made these values; `classes`: name of a class -> its index.

        Raises KeyError for the name of no class.
        """
        return list(shown)

    @abstractmethod
    def references(self, rows: Sequence[R]) -> list[Any]:
        """The right answer to each row, which a plug-in's metric takes beside the predictions."""

    @abstractmethod
    def score(self, rows: Sequence[R], predicted: Sequence[Any], classes: Sequence[str] = ()) -> dict[str, float]:
        """The metrics of predictions for rows, the first of `metrics` first; `classes` may be empty."""

    def row_scores(self, rows: Sequence[R], predicted: Sequence[Any]) -> list[float]:
        """The score of each row by itself: the first of `metrics`, or what stands for it where it needs many rows."""
        return [self.score([row], [each])[self.metrics[0]] for row, each in zip(rows, predicted, strict=True)]

    @abstractmethod
    def guesses(self, rows: Sequence[R]) -> list[Any]:
        """The predictions of a model that knows nothing of the rows, in the form that `score` takes."""

    @abstractmethod
    def chance(self, rows: Sequence[R], classes: Sequence[str] = ()) -> dict[str, float]:
        """The metrics of a model that knows nothing."""

    def signature(self) -> str | None:
        """How the main metric was computed, where its values are comparable only with this information."""
        return None

    def tokens_per_answer(self, task: TaskConfig) -> int:
        """The most tokens that a model reads and generates to answer one row, for the cost in a plan."""
        return task.max_length

    @abstractmethod
    def pipeline(self, form: Form) -> str | None:
        """The task of the `transformers.pipeline` that runs a student; None where transformers 5 has none."""

    @abstractmethod
    def usage(self, task: TaskConfig, form: Form, folder: str) -> list[str]:
        """Three lines of code that run a student in plain transformers; `folder` is a quoted path."""
