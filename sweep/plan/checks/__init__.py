"""All that can be known to be wrong before anything starts: config, data, models, storage and tracking at once.

Data and models are checked once each, not per cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.grid.cells import Cell, Draft, draft
from sweep.grid.fingerprint import fingerprint, teacher_hash
from sweep.plan.checks.memory import memory_problems
from sweep.plan.checks.models import Models
from sweep.plan.checks.places import storage_problems, tracking_problems
from sweep.plan.checks.sizes import Sizes, sizes
from sweep.plan.checks.tasks import NOT_LOOKED_UP, Tasks
from sweep.plan.checks.teachers import Teacher
from sweep.records.revisions import Revisions
from sweep.spec.messages import NEEDED
from sweep.spec.sweep import SweepConfig, load_partly
from trainables.config import TrialConfig
from trainables.device import resolve_dtype
from trainables.errors import InputError, raise_all
from trainables.tasks.rows import Data


@dataclass(frozen=True)
class Checked:
    """A sweep that can start, with what was read to know it."""

    config: SweepConfig
    cells: list[Cell]
    data: dict[str, Data]
    """By `Cell.data`; without what a plan did not look up."""
    teachers: dict[str, Teacher]
    """By `Cell.teacher`."""
    revisions: Revisions
    """Of the data sets of the hub; to be kept once the sweep starts."""

    def sizes(self) -> dict[str, Sizes]:
        """By fingerprint, without cells whose family does not say what its parameters are."""
        found = {
            cell.fingerprint: sizes(cell.config, self.teachers[cell.teacher], self.data.get(cell.data))
            for cell in self.cells
        }
        return {key: each for key, each in found.items() if each is not None}


def prepare(path: Path | None, overrides: Sequence[str] = (), *, look_up: bool = True) -> Checked:
    """The cells of a config file (None: the demo) under the overrides. Raises InputError with every problem.

    Without `look_up`, data of the hub is not downloaded where the task states its numbers of examples, nor is a
    teacher where the model states its shape.
    """
    config, problems = load_partly(path, overrides)
    drafts, found = draft(config)
    # Where base, axes or grids are none, what they would have given is not missing.
    is_whole = not any(problem.path.startswith(("base", "axes", "grids")) for problem in problems)
    problems += [problem for problem in found if is_whole or problem.message != NEEDED]
    tasks, models = Tasks(Revisions(config.storage_url), look_up=look_up), Models(look_up=look_up)
    for each in drafts:
        problems += tasks.check(each) + models.check(each, tasks.data(each))
    problems += storage_problems(config) + tracking_problems(config)
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    checked = _checked(config, drafts, tasks, models)
    raise_all(memory_problems(checked.sizes().values(), config.resources))
    return checked


def _checked(config: SweepConfig, drafts: list[Draft], tasks: Tasks, models: Models) -> Checked:
    checked = Checked(config, [], {}, {}, tasks.revisions)
    for each in drafts:
        data, identity, teacher = tasks.data(each), tasks.identity(each), models.teacher(each)
        assert each.config is not None
        assert identity is not None
        assert teacher is not None
        trial = _resolved(each.config, teacher, tasks.revisions, config.resources.gpus)
        made_from = teacher_hash(trial, identity, teacher.identity)
        made_from = f"{NOT_LOOKED_UP}{made_from}" if teacher.is_stated else made_from
        checked.cells.append(Cell(trial, identity, made_from, fingerprint(trial, identity, made_from)))
        if data is not None:
            checked.data[identity] = data
        checked.teachers[made_from] = teacher
    return checked


def _resolved(trial: TrialConfig, teacher: Teacher, revisions: Revisions, gpus: float) -> TrialConfig:
    """With the dtype that `auto` stands for here, and the hub's commits that were checked."""
    model = trial.model.model_copy(update={"revision": teacher.revision})
    task = revisions.found(trial.task)
    return trial.model_copy(update={"model": model, "task": task, "dtype": resolve_dtype(trial.dtype, gpus)})
