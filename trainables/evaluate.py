"""The answers of models to the rows of a task, and their metrics.

B batch, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainables import answers, own_metrics, pulse
from trainables import device as devices
from trainables.config import TaskConfig
from trainables.families import Family, states
from trainables.metrics import Metrics
from trainables.tasks.batches import Batch, Split
from trainables.tasks.codec import Codec, Example
from trainables.tasks.kinds import KINDS
from trainables.tasks.kinds.base import Kind
from trainables.tasks.rows import Data, Row


@dataclass(frozen=True)
class Evaluator:
    """Runs and scores the models of one task."""

    family: Family
    task: TaskConfig
    tokenizer: PreTrainedTokenizerBase
    device: torch.device
    dtype: devices.Dtype
    batch_size: int
    classes: tuple[str, ...]

    @property
    def kind(self) -> Kind[Any]:
        return KINDS[self.task.kind]

    @property
    def main_metric(self) -> str:
        return self.kind.main_metric(self.task)

    @property
    def codec(self) -> Codec:
        """Turns the texts of the task into token ids."""
        return Codec(self.task, self.family.form, self.tokenizer)

    @property
    def pad_id(self) -> int:
        pad: Any = self.tokenizer.pad_token_id
        return pad

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        """One labelled example per row."""
        return self.kind.encode(rows, self.codec)

    def split(self, examples: Sequence[Example], *, by_length: bool = True, left: bool = False) -> Split:
        """The examples as padded batches."""
        return Split(examples, self.pad_id, self.batch_size, by_length=by_length, left=left)

    def answers(self, model: PreTrainedModel, batch: Batch) -> list[Any]:
        """The answers of a model in eval mode to the examples of a batch."""
        pulse.beat()
        moved = devices.move(batch, model.device)
        with torch.no_grad(), devices.autocast(self.device, self.dtype):
            if self.kind.answer != "text":
                return answers.read(self.kind.answer, states.forward(self.family, model, moved))
            tokens_BT = states.generate(self.family, model, moved, self.task.max_new_tokens, self.task.num_beams)
        return self.tokenizer.batch_decode(tokens_BT, skip_special_tokens=True)

    def score(self, rows: Sequence[Row], predicted: Sequence[Any]) -> Metrics:
        """The metrics of the predictions: those of the task kind, then those of plug-ins."""
        metrics, references = self.kind.score(rows, predicted, self.classes), self.kind.references(rows)
        return metrics | own_metrics.measured(self.kind.name, predicted, references, metrics, self.main_metric)

    def tests(self, data: Data) -> dict[str, Questions]:
        """Test split -> the questions about its rows."""
        return {split: Questions(self, rows) for split, rows in data.tests.items()}

    def signature(self) -> str | None:
        """What makes the main metric comparable: sacreBLEU's signature."""
        return self.kind.signature()


class Questions:
    """The questions of a task kind about the rows of a split, tokenised and collated once for all models."""

    def __init__(self, by: Evaluator, rows: Sequence[Row], answered: Sequence[Example] = ()) -> None:
        """`answered`: examples whose answers are passed to `predict`, so that they need no forward pass here."""
        self.by, self.rows = by, rows
        places = {_content(example): place for place, example in enumerate(answered)}
        self._asked = by.kind.questions(rows, by.codec)
        self._places = [places.get(_content(question)) for question in self._asked]
        rest = [question for question, place in zip(self._asked, self._places, strict=True) if place is None]
        self._rest = by.split(rest, left=by.kind.answer == "text" and by.family.form == "decoder")

    def predict(self, model: PreTrainedModel, answered: Sequence[Any] = ()) -> list[Any]:
        """A model's predictions in the order of the rows; `answered`: the answers to the examples of `__init__`."""
        rest = iter(self._rest.restored(self.by.answers(model, batch) for batch in self._rest.batches))
        given = [next(rest) if place is None else answered[place] for place in self._places]
        return self.by.kind.predict(self.rows, self._asked, given)

    def score(self, predicted: Sequence[Any]) -> Metrics:
        """The metrics of predictions for these rows."""
        return self.by.score(self.rows, predicted)


def tested(tests: dict[str, Questions], predictions: dict[str, list[Any]]) -> Metrics:
    """The metrics of predictions for every test split, named `test/accuracy`, `test_mismatched/accuracy` and so on."""
    return {
        f"{split}/{name}": value
        for split, questions in tests.items()
        for name, value in questions.score(predictions[split]).items()
    }


def _content(example: Example) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((column, tuple(ids)) for column, ids in sorted(example.items()))
