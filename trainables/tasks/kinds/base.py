"""What a task kind is: how a task of it is read, encoded for a model, predicted and scored.

One file a kind, one entry in `trainables.tasks.kinds.KINDS`; one contract suite runs over all of them. Importing a
kind loads no torch: what it needs of a model it asks of a `Predictor`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from trainables.errors import Problem
from trainables.tasks.codec import Codec, Example
from trainables.tasks.fields import Fields
from trainables.tasks.findings import Findings
from trainables.tasks.rows import Row
from trainables.tasks.tables import Table

if TYPE_CHECKING:
    from trainables.config import TaskConfig
    from trainables.families.base import Form

R = TypeVar("R", bound=Row)


class Predictor(Protocol):
    """A model in eval mode, asked batch by batch."""

    def classes(self, examples: Sequence[Example]) -> list[int]:
        """The most probable class of each example."""
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
    main_metric: ClassVar[str]
    """The metric by which the best student is chosen; more is better."""
    row: ClassVar[type[Row]]
    """Its rows' class."""
    cut_at: ClassVar[Literal["left", "right"]] = "right"
    """The end of an input that is lost where it is too long."""
    generates: ClassVar[bool] = False
    """Whether its answers are generated, of `task.max_new_tokens` at most."""

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
    def score(self, rows: Sequence[R], predicted: Sequence[Any], num_classes: int = 0) -> dict[str, float]:
        """The metrics of predictions for rows, the main one first; `num_classes` of the task, 0 where it has none."""

    @abstractmethod
    def chance(self, rows: Sequence[R]) -> float:
        """The main metric of a model that knows nothing."""

    def signature(self) -> str | None:
        """What has to stand beside the main metric so that it can be compared."""
        return None

    def sample(self, task: TaskConfig, form: Form) -> str:
        """What a person gives a saved student of a generating form in place of a row."""
        return task.prefix + "your text"
