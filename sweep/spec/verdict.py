"""The config of the verdict: what counts as too small to matter, how sure it must be, and how many seeds it gets."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from trainables.config import Frozen, Rate

Level = Annotated[float, Field(gt=0, lt=0.5)]
GROWTH = 3
"""A round adds a third of the seeds that are there, and at least one."""


class Seeds(Frozen):
    """The seeds of a sweep that adds them in rounds, until every question is decided or the most is reached."""

    first: Annotated[int, Field(ge=2)] = Field(default=3, description="Seeds of the first round: 0, 1, 2, …")
    most: Annotated[int, Field(ge=2, le=100)] = Field(
        default=20, description="Seeds of a comparison that is still open after all rounds."
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.first > self.most:
            raise ValueError(f"first: got {self.first}; expected at most the value of most, which is {self.most}")
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of seeds after which the verdict is looked at: 3, 4, 5, 6, 8, 10, 13, 17, 20."""
        looks = [self.first]
        while looks[-1] < self.most:
            looks.append(min(self.most, looks[-1] + max(1, looks[-1] // GROWTH)))
        return tuple(looks)


class VerdictSettings(Frozen):
    """How the verdict is reached. None of it changes a number of a cell."""

    margin: Rate | None = Field(
        default=None,
        description="The largest difference that is too small to matter, in the units of the task's main metric "
        "(0.01 of accuracy, 1 of BLEU); null: a third of the gain of forward over none.",
    )
    alpha: Level = Field(
        default=0.05,
        description="The probability of a wrong verdict that is allowed for each kind: of a wrong different, and of "
        "a wrong equivalent.",
    )
    seeds: Seeds | None = Field(
        default=None,
        description="Adds seeds in rounds until every question is decided, in place of axes.seed; null: no rounds.",
    )
