"""How a saved student is used in plain transformers, without this project."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sweep.report.results import ResultRow
from trainables.config import TrialConfig
from trainables.families import FAMILIES
from trainables.tasks.kinds import KINDS


@dataclass(frozen=True)
class SavedStudent:
    """A saved student of a cell, and where it lies."""

    row: ResultRow
    config: TrialConfig
    path: str


def pipeline_task(config: TrialConfig) -> str | None:
    """The task of the `transformers.pipeline` that runs a student; None: transformers 5 has none for it."""
    return KINDS[config.task.kind].pipeline(FAMILIES[config.model.family].form)


def usage(config: TrialConfig, path: str) -> list[str]:
    """Three lines that use a student in plain transformers: what the task's kind gives for a text."""
    folder = json.dumps(path, ensure_ascii=False)
    return KINDS[config.task.kind].usage(config.task, FAMILIES[config.model.family].form, folder)
