"""Trains a teacher on a worker, once for all cells that it teaches.

The driver imports this module without torch, which is imported on the worker.
"""

from __future__ import annotations

from collections.abc import Sequence

from ray import tune

from sweep.grid.cells import Cell
from sweep.jobs import attempts, ladder
from sweep.jobs.attempts import Context, Ended, Target, Try
from sweep.jobs.claims import claimed
from sweep.jobs.ladder import Rung
from sweep.jobs.progress import Progress
from sweep.records.records import Records
from sweep.records.stored import TeacherResult
from sweep.tracking.runs import RunSpec
from trainables.parts import most_parts
from trainables.tasks.guessing import chance
from trainables.tasks.rows import Data


def train_teacher(cell: Cell, run: RunSpec, context: Context, rows: Data) -> dict[str, Ended]:
    """Trains the teacher of the cell, or evaluates one that is ready; returns its end by its hash."""
    from trainables import finetune

    trial = cell.config

    def compute(tries: Sequence[Try], num_parts: int) -> list[TeacherResult]:
        (each,) = tries
        assert trial.dtype != "auto"
        outcome = finetune.run(
            trial.model,
            trial.task,
            rows,
            each.attempt.folder,
            each.report,
            trial.dtype,
            context.num_threads,
            each.checkpoints,
            num_parts,
        )
        teacher_spec = trial.model.teacher
        result = TeacherResult(
            **attempts.shared(outcome, each.attempt, context, trial.task.kind, num_parts),
            hash=cell.teacher_hash,
            path=teacher_spec if trial.model.finetune is None and isinstance(teacher_spec, str) else None,
            chance=chance(trial.task, rows.test, rows.classes),
        )
        return [result]

    teacher, progress = Records(context.storage).teacher(cell.teacher_hash), Progress(tune.report)
    with claimed([teacher], context, progress) as claim:

        def attempt(rung: Rung) -> dict[str, Ended]:
            ((record, start),) = rung.group
            target = Target(record, run, start, claim.leases[record.identity])
            own = rung.computing(compute)
            return attempts.make([target], context, own, progress, rung.num_parts, may_split=rung.may_split)

        return claim.ends | ladder.make([teacher] if claim.leases else [], most_parts(trial.model.finetune), attempt)
