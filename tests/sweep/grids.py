"""The cells of a sweep, without its data and teachers."""

from __future__ import annotations

from sweep.grid.cells import draft
from sweep.spec.sweep import SweepConfig
from trainables.config import TrialConfig
from trainables.errors import InputError


def expand(config: SweepConfig) -> list[TrialConfig]:
    """The distinct cells, in the order of the axes. Raises InputError with every problem."""
    drafts, problems = draft(config)
    if problems:
        raise InputError(problems)
    return [each.config for each in drafts if each.config is not None]
