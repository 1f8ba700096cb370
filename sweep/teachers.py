"""The teachers that a plan needs, each made once: the Tune trainable of a teacher.

The driver only names it: torch is imported where it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from sweep import attempts
from sweep.attempts import Context
from sweep.records import Attempt, Facts, Records
from sweep.trial import Job
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data

if TYPE_CHECKING:
    from trainables.loop import Report


def train_teacher(
    config: dict[str, Any],
    context: Context,
    jobs: Mapping[str, Job],
    data: Mapping[str, ray.ObjectRef[Data]],
) -> None:
    """Makes the teacher of the cell that `config["job"]` names, or measures one that is ready."""
    from trainables import finetune

    cell, run = jobs[config["job"]]
    rows = ray.get(data[cell.data])
    trial = cell.config

    def compute(attempt: Attempt, report: Report) -> Facts:
        assert trial.dtype != "auto"
        outcome = finetune.run(trial.model, trial.task, rows, attempt.folder, report, trial.dtype, context.num_threads)
        path = None if trial.model.finetune else trial.model.teacher
        return attempts.manifest(outcome, path=path, chance=KINDS[trial.task.kind].chance(rows.test))

    record = Records(context.storage).teacher(cell.teacher)
    tune.report(attempts.make(record, run, context, compute, tune.report).facts())
