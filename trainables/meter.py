"""Measures the size and the speed of finished models."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from trainables.evaluate import Evaluator, Questions
from trainables.size import BATCHES, Size
from trainables.tasks.rows import Row

FEWEST_ROWS = 8
"""The rows of a pass where the batch size is smaller, since rows differ in length."""
PASS_SECONDS = 0.1
"""The time after which no further pass is made."""
WEIGHTS = ("*model*.safetensors", "pytorch_model*.bin")
"""The files that transformers loads: the first of these that a folder has, with the adapters beside them."""
FP32_BYTES = 4
MOST_TIMES = 4
"""On a GPU, no batch is timed that is this many times as large as the training's, for which its memory is planned."""

Rates = dict[int, float]
"""Batch size -> rows per second."""


@dataclass(frozen=True)
class Meter:
    """Measures models of one task. Models of equal shape are equally fast, so the first of them alone is timed."""

    evaluator: Evaluator
    rows: Sequence[Row]
    _rates: dict[tuple[torch.Size, ...], Rates] = field(default_factory=dict[tuple[torch.Size, ...], Rates])

    def size(self, model: PreTrainedModel, folder: str | Path) -> Size:
        """The size of a model in eval mode on the evaluator's device; `folder` holds its weights, or is a hub id."""
        tables = [model.get_submodule(path) for path in self.evaluator.family.embeddings]
        embeddings = {id(weight): weight.numel() for table in tables for weight in table.parameters()}
        total = sum(weight.numel() for weight in model.parameters())
        shape = tuple(weight.shape for weight in model.parameters())
        if shape not in self._rates:
            self._rates[shape] = self.rates(model)
        num_bytes = _stored_bytes(Path(folder)) or total * FP32_BYTES
        return Size(total, total - sum(embeddings.values()), num_bytes / 1e6, self._rates[shape])

    def rates(self, model: PreTrainedModel) -> Rates:
        """The speeds of a model in eval mode on the evaluator's device."""
        rates: Rates = {}
        with _full_length(model, self.evaluator):
            for batch_size in BATCHES:
                if self.evaluator.device.type == "cuda" and batch_size > MOST_TIMES * self.evaluator.batch_size:
                    break
                try:
                    rates[batch_size] = self._rate(model, batch_size)
                except torch.OutOfMemoryError:
                    break
        return rates

    def _rate(self, model: PreTrainedModel, batch_size: int) -> float:
        """Rows per second in the fastest of a few passes: whatever else the machine does makes a pass slower only."""
        rows = list(islice(cycle(self.rows), max(batch_size, FEWEST_ROWS)))
        questions = Questions(replace(self.evaluator, batch_size=batch_size), rows)
        seconds: list[float] = []
        while sum(seconds) < PASS_SECONDS:
            start = time.perf_counter()
            questions.predict(model)
            seconds.append(time.perf_counter() - start)
        return len(rows) / min(seconds)


def _stored_bytes(folder: Path) -> int:
    """The bytes of the weights in a folder; 0 where it holds none."""
    sizes = (sum(file.stat().st_size for file in folder.glob(pattern)) for pattern in WEIGHTS)
    return next(filter(None, sizes), 0)


@contextmanager
def _full_length(model: PreTrainedModel, evaluator: Evaluator) -> Generator[None]:
    """Lets a model that generates end no text early, so that its speed is that of its shape, not of its answers."""
    if not evaluator.kind.generates:
        yield
        return
    config: Any = model.generation_config
    before, config.min_new_tokens = config.min_new_tokens, evaluator.task.max_new_tokens
    try:
        yield
    finally:
        config.min_new_tokens = before
