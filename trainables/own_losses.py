"""Loss terms of a person's own, which plug-ins define beside CE, KL and the hidden term, or in their place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from torch import Tensor


class ModelOutputs(Protocol):
    """The outputs of a student or a teacher for a micro-batch (`trainables.families.base.Outputs`)."""

    @property
    def logits(self) -> Tensor:
        """[B, C], or [B, T, V] at the positions of the labels."""
        ...

    @property
    def labels(self) -> Tensor:
        """[B], or [B, T]; -100 where there is none."""
        ...

    @property
    def states(self) -> Mapping[str, Sequence[Tensor]]:
        """Stack -> all states, [B, T, width] each, not projected."""
        ...

    @property
    def masks(self) -> Mapping[str, Tensor]:
        """Stack -> the real tokens, bool [B, T]."""
        ...


class OwnLoss(BaseModel, ABC, frozen=True, extra="forbid"):
    """A loss term with its weight and its parameters."""

    kind: str
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)

    @abstractmethod
    def total(self, student: ModelOutputs, teacher: ModelOutputs, counted: Mapping[str, Tensor]) -> Tensor:
        """The term summed over the labels of a micro-batch; it is divided by the labels of the whole step.

        `counted` has bool masks: of the labels that CE counts (`ce`), and of each stack's real tokens by its name.
        """


OWN_LOSSES: dict[str, type[OwnLoss]] = {}
"""The loss terms of plug-ins, by kind."""
