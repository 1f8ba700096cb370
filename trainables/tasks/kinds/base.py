"""What a task kind is: the head that its models have, and how a task of it is read, encoded, predicted and scored.

One file per kind, one entry in `trainables.tasks.kinds.KINDS`; one contract suite runs over all of them. Importing a
kind loads no torch: what it needs of a model it asks of a `Predictor`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from trainables.errors import Problem
from trainables.heads import Head, HeadName, LossName
from trainables.tasks.codec import Codec, Example
from trainables.tasks.fields import Fields
from trainables.tasks.findings import Findings
from trainables.tasks.rows import Row
from trainables.tasks.tables import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trainables.config import TaskConfig
    from trainables.families.base import Form

R = TypeVar("R", bound=Row)


class Predictor(Protocol):
    """A model in eval mode, asked batch by batch."""

    def outputs(self, examples: Sequence[Example]) -> list[NDArray[np.floating]]:
        """What a head with labels gives for each example: [C], or [N, C] at its N labelled tokens."""
        ...

    def texts(self, prompts: Sequence[Example]) -> list[str]:
        """What the model writes after each prompt, by the task's beams and lengths."""
        ...

    def log_likelihoods(self, examples: Sequence[Example]) -> list[float]:
        """The sum of log p over the labels of each example, in nats."""
        ...


class Kind(ABC, Generic[R]):
    """One task kind."""

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    """What `score` gives; of each, more is better. The first is the main one where the task names none."""
    head_name: ClassVar[HeadName]
    """What stands on the blocks of its models."""
    loss: ClassVar[LossName] = "cross_entropy"
    """What a model learns by: cross entropy and KL divergence, or the squared errors in place of both."""
    row: ClassVar[type[Row]]
    """Its rows' class."""
    cut_at: ClassVar[Literal["left", "right"]] = "right"
    """The end of an input that is lost where it is too long."""
    generates: ClassVar[bool] = False
    """Whether its answers are generated, of `task.max_new_tokens` at most."""
    remark: ClassVar[str] = ""
    """What a student's model card says of its answers."""

    def head(self, classes: Sequence[str]) -> Head:
        """The head of the models of a task with these classes."""
        return Head(self.head_name, tuple(classes), self.loss)

    def main_metric(self, task: TaskConfig) -> str:
        """The metric by which the best student is chosen."""
        return task.metric or self.metrics[0]

    def check(self, task: TaskConfig) -> list[Problem]:
        """Fields of the config that a task of this kind lacks; paths relative to the task."""
        return []

    def classes(self, task: TaskConfig, train: Table, found: Findings) -> tuple[str, ...]:
        """The names of the classes; empty for a kind without."""
        return ()

    @abstractmethod
    def read(self, task: TaskConfig, record: Fields, classes: tuple[str, ...]) -> list[R]:
        """The rows of one record; what is wrong with it goes to `record.found`, and what is read then is not used."""

    def fault(self, row: R, classes: Sequence[str]) -> str | None:
        """What is wrong with a row that was not read from a table: `the label 3; it has 3 classes`."""
        return None

    def split_fault(self, rows: Sequence[R]) -> str | None:
        """What is wrong with the rows of a split as a whole, of which each is right: what would be right."""
        return None

    @abstractmethod
    def texts(self, row: R) -> Iterable[str]:
        """All the text of a row, to train a tokenizer on."""

    @abstractmethod
    def encode(self, rows: Sequence[R], codec: Codec) -> list[Example]:
        """One example with labels a row, to learn from and to measure the loss on; no input is empty."""

    @abstractmethod
    def predict(self, rows: Sequence[R], codec: Codec, model: Predictor) -> list[Any]:
        """What the model answers to each row, in the form that `score` takes."""

    def shown(self, predicted: Sequence[Any], names: Sequence[str]) -> list[Any]:
        """Predictions as plain transformers gives them; `names` are those that the model has for its classes."""
        return list(predicted)

    @abstractmethod
    def references(self, rows: Sequence[R]) -> list[Any]:
        """What is right for each row: what a metric of a person's own takes beside the predictions."""

    @abstractmethod
    def score(self, rows: Sequence[R], predicted: Sequence[Any], classes: Sequence[str] = ()) -> dict[str, float]:
        """The metrics of predictions for rows, the first one first; `classes` of the task, empty where it has none."""

    @abstractmethod
    def chance(self, rows: Sequence[R], classes: Sequence[str] = ()) -> dict[str, float]:
        """The metrics of a model that knows nothing."""

    def signature(self) -> str | None:
        """What has to stand beside the main metric so that it can be compared."""
        return None

    def tokens_per_answer(self, task: TaskConfig) -> int:
        """The most tokens that a model reads and writes to answer one row: what a plan's cost counts."""
        return task.max_length

    @abstractmethod
    def pipeline(self, form: Form) -> str | None:
        """The task of the `transformers.pipeline` that runs a student; None: transformers 5 has none for it."""

    @abstractmethod
    def usage(self, task: TaskConfig, form: Form, folder: str) -> list[str]:
        """Three lines that use a student in plain transformers; `folder` is quoted."""
