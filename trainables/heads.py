"""The heads of models: what stands on the blocks, and what it learns by. A task asks for one, a family builds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HeadName = Literal["language_model", "sequence_classification", "token_classification"]
"""What stands on the blocks: a vocabulary at every position (causal or sequence to sequence, by the family's form),
labels for a whole text, or labels for every token."""

LossName = Literal["cross_entropy", "squared_error"]


@dataclass(frozen=True)
class Head:
    """The head that the models of a task have."""

    name: HeadName
    labels: tuple[str, ...] = ()
    """What the outputs stand for, in their order; empty for a language model, whose outputs are its tokens."""
    loss: LossName = "cross_entropy"
    """What a model learns by from labels and from its teacher (trainables/losses.py)."""

    @property
    def has_labels(self) -> bool:
        """Whether the outputs are the task's own: such a head is always trained, and never a teacher's by accident."""
        return self.name != "language_model"

    @property
    def num_outputs(self) -> int:
        """The outputs of a head with labels."""
        return len(self.labels)

    @property
    def problem_type(self) -> str | None:
        """The word in a transformers config without which a pipeline shows other numbers; None: none is needed."""
        return "regression" if self.loss == "squared_error" else None


LANGUAGE_MODEL = Head("language_model")
