"""All that can be known to be wrong before anything starts: config, data, models, storage and tracking at once.

Data and models are checked once each, not per cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.checks.models import Models
from sweep.checks.places import storage_problems, tracking_problems
from sweep.checks.tasks import Tasks
from sweep.checks.teachers import Teacher
from sweep.config import SweepConfig, load_partly
from sweep.fingerprint import fingerprint, teacher_hash
from sweep.grid import Cell, Draft, draft
from sweep.messages import NEEDED
from trainables.config import TrialConfig
from trainables.device import resolve_dtype
from trainables.errors import InputError
from trainables.tasks.rows import Data


@dataclass(frozen=True)
class Checked:
    """A sweep that can start, with what was read to know it."""

    config: SweepConfig
    cells: list[Cell]
    data: dict[str, Data]
    """By `Cell.data`."""
    teachers: dict[str, Teacher]
    """By `Cell.teacher`."""


def prepare(path: Path | None, overrides: Sequence[str] = ()) -> Checked:
    """The cells of a config file (None: the demo) under the overrides. Raises InputError with every problem."""
    config, problems = load_partly(path, overrides)
    drafts, found = draft(config)
    # Where base, axes or grids are none, what they would have given is not missing.
    is_whole = not any(problem.path.startswith(("base", "axes", "grids")) for problem in problems)
    problems += [problem for problem in found if is_whole or problem.message != NEEDED]
    tasks, models = Tasks(), Models()
    for each in drafts:
        problems += tasks.check(each) + models.check(each, tasks.data(each))
    problems += storage_problems(config) + tracking_problems(config)
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    return _checked(config, drafts, tasks, models)


def _checked(config: SweepConfig, drafts: list[Draft], tasks: Tasks, models: Models) -> Checked:
    checked = Checked(config, [], {}, {})
    for each in drafts:
        data, teacher = tasks.data(each), models.teacher(each)
        assert each.config is not None
        assert data is not None
        assert teacher is not None
        trial = _resolved(each.config, teacher, config.resources.gpus)
        made_from = teacher_hash(trial, data.hash, teacher.identity)
        checked.cells.append(Cell(trial, data.hash, made_from, fingerprint(trial, data.hash, made_from)))
        checked.data[data.hash] = data
        checked.teachers[made_from] = teacher
    return checked


def _resolved(trial: TrialConfig, teacher: Teacher, gpus: float) -> TrialConfig:
    """With the dtype that `auto` stands for here, and the hub's commit that was checked."""
    model = trial.model.model_copy(update={"revision": teacher.revision})
    return trial.model_copy(update={"model": model, "dtype": resolve_dtype(trial.dtype, gpus)})
