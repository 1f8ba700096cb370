"""The evaluation of models in training on the validation split.

The split is tokenised, sorted by length and collated once. An evaluation runs each model over it once; this pass gives
the terms of the loss and, unless the task kind generates texts, the answers. The teacher's outputs do not change and
are computed only once, as far as they fit in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from trainables import answers, pulse
from trainables import device as devices
from trainables.evaluate import Evaluator, Questions
from trainables.families.base import Outputs
from trainables.metrics import Metrics, summed
from trainables.objective import Objective
from trainables.targets import KEPT_BYTES, Copies, KeptTargets, Targets
from trainables.tasks.batches import Batch
from trainables.tasks.rows import Row


class Pass(NamedTuple):
    """The results of one model's pass over the split."""

    terms: Metrics
    """The loss and its parts."""
    answered: list[Any]
    """The model's answers to the examples; empty if the task kind generates texts."""


class Measures(NamedTuple):
    """The results of an evaluation of one model."""

    terms: Metrics
    """The loss and its parts."""
    task: Metrics
    """The task's metrics."""


class Validation:
    """The validation split as batches, with the outputs of the teacher, if there is one."""

    def __init__(
        self,
        by: Evaluator,
        rows: Sequence[Row],
        targets: Targets | None = None,
        *,
        by_length: bool = True,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        """`by_length`: whether examples are sorted by length; false for losses that depend on the batches.

        At most `kept_bytes` of the teacher's outputs are kept in host memory; the rest is computed at each evaluation.
        """
        self.by = by
        self.examples = by.encode(rows)
        self._split = by.split(self.examples, by_length=by_length)
        self._reads = by.kind.answer != "text"
        self._questions = Questions(by, rows, self.examples if self._reads else ())
        self._targets = KeptTargets(targets, kept_bytes) if targets else None

    def run(self, objectives: Sequence[Objective]) -> list[Pass]:
        """Runs the models of all objectives, which are in eval mode and of one cohort, over the split."""
        if not objectives:
            return []
        totals = summed([objectives[0].totals(batch) for batch in self._split.batches])
        terms: list[list[Metrics]] = [[] for _ in objectives]
        given: list[list[list[Any]]] = [[] for _ in objectives]
        for index, batch in enumerate(self._split.batches):
            pulse.beat()
            moved = devices.move(batch, self.by.device)
            with torch.no_grad(), devices.autocast(self.by.device, self.by.dtype):
                wanted = self._targets(index, moved) if self._targets else None
                copies = Copies(moved, wanted, self.by.device)
                for objective, its_terms, its_answers in zip(objectives, terms, given, strict=True):
                    its_batch, its_wanted = copies.on(objective.model.device)
                    seen = objective.forward(its_batch)
                    its_terms.append(_floats(objective, its_batch, seen, its_wanted, totals))
                    its_answers.append(answers.read(self.by.kind.answer, seen) if self._reads else [])
        return [
            Pass(summed(its_terms), self._split.restored(its_answers) if self._reads else [])
            for its_terms, its_answers in zip(terms, given, strict=True)
        ]

    def measures(self, objective: Objective, done: Pass) -> Measures:
        """The measures of one model after its pass; runs the model on the questions that the pass does not answer."""
        predicted = self._questions.predict(objective.model, done.answered)
        return Measures(done.terms, self._questions.score(predicted))


def _floats(objective: Objective, batch: Batch, seen: Outputs, wanted: Outputs | None, totals: Metrics) -> Metrics:
    return {name: float(term) for name, term in objective.terms(batch, seen, wanted, totals).items()}
