"""A model asked for its answers to a task's rows, and their metrics.

B batch, T tokens, C classes, V vocabulary, N labelled positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainables import device as devices
from trainables import own_metrics
from trainables.config import TaskConfig
from trainables.families import Family, states
from trainables.losses import IGNORED
from trainables.predictions import Answers
from trainables.tasks.batches import collate
from trainables.tasks.codec import Codec, Example
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data, Row


@dataclass(frozen=True)
class Evaluator:
    """Metrics of a model on rows of a task."""

    family: Family
    task: TaskConfig
    tokenizer: PreTrainedTokenizerBase
    device: torch.device
    dtype: devices.Dtype
    batch_size: int
    classes: tuple[str, ...]

    @property
    def main_metric(self) -> str:
        return KINDS[self.task.kind].main_metric(self.task)

    def __call__(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """The task's metrics of a model, which must be in eval mode."""
        return self.score(rows, self.predict(model, rows))

    def score(self, rows: Sequence[Row], predicted: Sequence[Any]) -> dict[str, float]:
        """The task's metrics of answers, and behind them those of plug-ins."""
        kind = KINDS[self.task.kind]
        metrics = kind.score(rows, predicted, self.classes)
        return metrics | own_metrics.measured(kind.name, predicted, kind.references(rows), taken=metrics)

    def predict(self, model: PreTrainedModel, rows: Sequence[Row]) -> list[Any]:
        """The model's answer to each row, as the task kind has it."""
        return KINDS[self.task.kind].predict(rows, self.codec(), Asked(self, model))

    def answers(self, model: PreTrainedModel, data: Data) -> Answers:
        """The model's answers to every test split."""
        return {split: self.predict(model, rows) for split, rows in data.tests.items()}

    def test(self, answers: Answers, data: Data) -> dict[str, float]:
        """The metrics of every test split, named `test/accuracy`, `test_mismatched/accuracy` and so on."""
        return {
            f"{split}/{name}": value
            for split, rows in data.tests.items()
            for name, value in self.score(rows, answers[split]).items()
        }

    def codec(self) -> Codec:
        """How the task's texts reach the model."""
        return Codec(self.task, self.family.form, self.tokenizer)

    def signature(self) -> str | None:
        """What stands beside the main metric so that it can be compared: sacreBLEU's signature."""
        return KINDS[self.task.kind].signature()


@dataclass(frozen=True)
class Asked:
    """A task kind's `Predictor`: one model, asked in batches of the evaluator's size, in the order given."""

    by: Evaluator
    model: PreTrainedModel

    def outputs(self, examples: Sequence[Example]) -> list[NDArray[np.floating]]:
        """What a head with labels gives for each example: [C], or [N, C] at its labelled tokens; at least in fp32."""
        outputs: list[NDArray[np.floating]] = []
        for batch in self._batches(examples):
            with torch.no_grad(), devices.autocast(self.by.device, self.by.dtype):
                seen = states.forward(self.by.family, self.model, batch)
            logits = seen.logits.to(torch.promote_types(seen.logits.dtype, torch.float32)).cpu()
            if seen.labels.dim() == 2:
                labels_BT = seen.labels.cpu()
                outputs += [each[own != IGNORED].numpy() for each, own in zip(logits, labels_BT, strict=True)]
            else:
                outputs += [each.numpy() for each in logits]
        return outputs

    def texts(self, prompts: Sequence[Example]) -> list[str]:
        """What the model writes after each prompt, without special tokens."""
        texts: list[str] = []
        task = self.by.task
        for batch in self._batches(prompts, left=self.by.family.form == "decoder"):
            with torch.no_grad(), devices.autocast(self.by.device, self.by.dtype):
                tokens_BT = states.generate(self.by.family, self.model, batch, task.max_new_tokens, task.num_beams)
            texts += self.by.tokenizer.batch_decode(tokens_BT, skip_special_tokens=True)
        return texts

    def log_likelihoods(self, examples: Sequence[Example]) -> list[float]:
        """The sum of log p over the labels of each example, in nats; in fp32, or fp64 where the logits are."""
        sums: list[float] = []
        for batch in self._batches(examples):
            with torch.no_grad(), devices.autocast(self.by.device, self.by.dtype):
                seen = states.forward(self.by.family, self.model, batch)
            for logits_TV, labels_T in zip(seen.logits, seen.labels, strict=True):
                real_T = labels_T != IGNORED
                logits_NV = logits_TV[real_T].to(torch.promote_types(logits_TV.dtype, torch.float32))
                log_p_NV = logits_NV.log_softmax(-1)
                sums.append(log_p_NV.gather(-1, labels_T[real_T].unsqueeze(-1)).sum().item())
        return sums

    def _batches(self, examples: Sequence[Example], *, left: bool = False) -> Iterator[dict[str, Tensor]]:
        pad: Any = self.by.tokenizer.pad_token_id
        size = self.by.batch_size
        for start in range(0, len(examples), size):
            yield devices.move(collate(examples[start : start + size], pad, left=left), self.by.device)
