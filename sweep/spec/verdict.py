"""The config of the verdict: what counts as too small to matter, and how sure it must be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainables.config import Frozen, Rate

Level = Annotated[float, Field(gt=0, lt=0.5)]


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
