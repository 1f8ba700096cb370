"""Distils a cell on a worker, and writes its record and its run.

The driver imports this module without torch, which is imported on the worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ray import tune

from sweep.grid.cells import Cell
from sweep.jobs import attempts
from sweep.jobs.attempts import Context, Ended
from sweep.records.records import Attempt, Records
from sweep.records.stored import CellResult
from sweep.students import card
from sweep.tracking.runs import RunSpec
from trainables.tasks.rows import Data

if TYPE_CHECKING:
    from trainables.metrics import Report


def train_cell(cell: Cell, run: RunSpec, context: Context, rows: Data) -> Ended:
    """Distils the cell. The record of its teacher is finished."""
    from trainables import distill

    records = Records(context.storage)
    teacher_record = records.teacher(cell.teacher_hash)
    teacher_path, teacher_result = Path(teacher_record.location()), teacher_record.result()
    assert teacher_result is not None

    def compute(attempt: Attempt, report: Report) -> CellResult:
        outcome = distill.run_one(cell.config, rows, teacher_path, attempt.folder, report, context.num_threads)
        result = CellResult(
            **attempts.shared(outcome, attempt, context),
            cell=cell.fingerprint,
            mapping=outcome.mapping,
            student=attempt.stored("student"),
        )
        (attempt.folder / "student" / card.FILE).write_text(card.card(cell, result, teacher_result), encoding="utf-8")
        return result

    return attempts.make(records.cell(cell.fingerprint), run, context, compute, tune.report)
