"""A cell to compute, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from trainables.checkpoints import Checkpoints
from trainables.config import TrialConfig
from trainables.metrics import Metrics, Report
from trainables.size import Size
from trainables.strategies import StateMapping


@dataclass(frozen=True)
class Member:
    """A cell to compute as part of a cohort."""

    config: TrialConfig
    folder: Path
    """The folder for its student and artifacts."""
    report: Report
    checkpoints: Checkpoints | None = None
    """The checkpoints that it continues from and adds to; None: it starts anew and saves none."""
    name: str = "the cell"
    """What the log calls it."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a cell or a teacher; the best model is in the folder `student` or `model`."""

    metrics: Metrics
    main_metric: str
    signature: str | None
    num_steps: int
    best_step: int
    size: Size
    """That of the best model."""
    mapping: dict[str, StateMapping] = field(default_factory=dict[str, StateMapping])
    """Stack -> the mapping of the student; empty for a teacher."""
