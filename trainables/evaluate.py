"""The metrics of a task: what is measured on a split, and which of it is the main one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sacrebleu
import torch
from sklearn.metrics import f1_score
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainables import device as devices
from trainables import own_metrics
from trainables.config import TaskConfig
from trainables.families import Family
from trainables.tasks.batches import Example, collate, encode, encode_prompts
from trainables.tasks.rows import ClassificationRow, Data, GenerationRow, Row

MAIN_METRIC = {"classification": "accuracy", "generation": "bleu"}


def classification_metrics(predicted: Sequence[int], labels: Sequence[int]) -> dict[str, float]:
    """Accuracy, and F1: of class 1 where there are two classes, the mean over the classes elsewhere."""
    num_right = sum(p == label for p, label in zip(predicted, labels, strict=True))
    average = "binary" if set(predicted) | set(labels) <= {0, 1} else "macro"
    f1 = f1_score(labels, predicted, average=average, zero_division=0)  # pyright: ignore[reportArgumentType]: stubs say str
    return {"accuracy": num_right / len(labels), "f1": float(f1)}


def generation_metrics(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """sacreBLEU on all references (0 to 100), and the share that is exactly one of its references (0 to 1)."""
    num_exact = sum(text in refs for text, refs in zip(texts, references, strict=True))
    return {"bleu": bleu(texts, references)[0], "exact_match": num_exact / len(texts)}


def bleu(texts: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, str]:
    """Corpus BLEU and the signature that says how it was counted; examples may differ in their references."""
    most = max(map(len, references))
    streams: Any = [[refs[i] if i < len(refs) else None for refs in references] for i in range(most)]
    metric = sacrebleu.BLEU()
    score = metric.corpus_score(list(texts), streams).score
    return score, str(metric.get_signature())


def chance(data: Data, kind: str) -> float:
    """The main metric of a model that knows nothing: the share of the test split's commonest class, or no BLEU."""
    if kind != "classification":
        return 0.0
    labels = [row.label for row in data.test if isinstance(row, ClassificationRow)]
    return max(labels.count(label) for label in set(labels)) / len(labels)


@dataclass(frozen=True)
class Evaluator:
    """Predictions and metrics of a model on rows of a task."""

    family: Family
    task: TaskConfig
    tokenizer: PreTrainedTokenizerBase
    device: torch.device
    dtype: devices.Dtype
    batch_size: int

    @property
    def main_metric(self) -> str:
        return MAIN_METRIC[self.task.kind]

    def __call__(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """The task's metrics, main one first. The model must be in eval mode."""
        if self.task.kind == "classification":
            labels = [row.label for row in rows if isinstance(row, ClassificationRow)]
            predicted = self.predict(model, rows)
            return self._with_own(classification_metrics(predicted, labels), predicted, labels)
        references = [row.references for row in rows if isinstance(row, GenerationRow)]
        texts = self.generate(model, rows)
        return self._with_own(generation_metrics(texts, references), texts, references)

    def _with_own(self, metrics: dict[str, float], given: Sequence[Any], right: Sequence[Any]) -> dict[str, float]:
        """The metrics, and behind them those of plug-ins."""
        return metrics | own_metrics.measured(self.task.kind, given, right, taken=metrics)

    def predict(self, model: PreTrainedModel, rows: Sequence[Row]) -> list[int]:
        """The most probable class of each row."""
        predicted: list[int] = []
        for batch in self._batches(encode(rows, self.task, self.family.form, self.tokenizer)):
            with torch.no_grad(), devices.autocast(self.device, self.dtype):
                logits_BC = self.family.forward(model, batch).logits
            predicted += logits_BC.argmax(-1).tolist()
        return predicted

    def generate(self, model: PreTrainedModel, rows: Sequence[Row]) -> list[str]:
        """The text that the model gives for each row's source."""
        texts: list[str] = []
        prompts = encode_prompts(rows, self.task, self.family.form, self.tokenizer)
        for batch in self._batches(prompts, left=self.family.form == "decoder"):
            with torch.no_grad(), devices.autocast(self.device, self.dtype):
                tokens_BT = self.family.generate(model, batch, self.task.max_new_tokens, self.task.num_beams)
            texts += self.tokenizer.batch_decode(tokens_BT, skip_special_tokens=True)
        return texts

    def signature(self) -> str | None:
        """What stands beside the main metric so that it can be compared: sacreBLEU's signature."""
        return bleu(["a"], [["a"]])[1] if self.task.kind == "generation" else None

    def _batches(self, examples: Sequence[Example], *, left: bool = False) -> Iterator[dict[str, Tensor]]:
        pad: Any = self.tokenizer.pad_token_id
        for start in range(0, len(examples), self.batch_size):
            yield devices.move(collate(examples[start : start + self.batch_size], pad, left=left), self.device)
