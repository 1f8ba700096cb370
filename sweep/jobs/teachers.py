"""Trains a teacher on a worker, once for all cells that it teaches.

The driver imports this module without torch, which is imported on the worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ray import tune

from sweep.grid.cells import Cell
from sweep.jobs import attempts
from sweep.jobs.attempts import Context, Ended
from sweep.records.records import Attempt, Records
from sweep.records.stored import TeacherResult
from sweep.tracking.runs import RunSpec
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data

if TYPE_CHECKING:
    from trainables.metrics import Report


def train_teacher(cell: Cell, run: RunSpec, context: Context, rows: Data) -> Ended:
    """Trains the teacher of the cell, or evaluates one that is ready."""
    from trainables import finetune

    trial = cell.config

    def compute(attempt: Attempt, report: Report) -> TeacherResult:
        assert trial.dtype != "auto"
        outcome = finetune.run(trial.model, trial.task, rows, attempt.folder, report, trial.dtype, context.num_threads)
        teacher_spec = trial.model.teacher
        return TeacherResult(
            **attempts.shared(outcome, attempt, context),
            hash=cell.teacher_hash,
            path=teacher_spec if trial.model.finetune is None and isinstance(teacher_spec, str) else None,
            chance=KINDS[trial.task.kind].chance(rows.test, rows.classes)[outcome.main_metric],
        )

    teacher_record = Records(context.storage).teacher(cell.teacher_hash)
    return attempts.make(teacher_record, run, context, compute, tune.report)
