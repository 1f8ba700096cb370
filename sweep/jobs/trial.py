"""A cell on a worker: distils it, and writes its record and its run.

The driver only names it: torch is imported where it is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ray import tune

from sweep.grid.cells import Cell
from sweep.jobs import attempts
from sweep.jobs.attempts import Context, Ended
from sweep.records.records import Attempt, Facts, Records
from sweep.students import card
from sweep.tracking.runs import RunSpec
from trainables.tasks.rows import Data

if TYPE_CHECKING:
    from trainables.loop import Report


def train_cell(cell: Cell, run: RunSpec, context: Context, rows: Data) -> Ended:
    """Distils the cell, whose teacher is there."""
    from trainables import distill

    records = Records(context.storage)
    teacher = records.teacher(cell.teacher)
    folder, teacher_made = Path(teacher.location()), teacher.result()
    assert teacher_made is not None

    def compute(attempt: Attempt, report: Report) -> Facts:
        outcome = distill.run(cell.config, rows, folder, attempt.folder, report, context.num_threads)
        mapping = {stack: {str(s): t for s, t in pairs.items()} for stack, pairs in outcome.mapping.items()}
        made = attempts.manifest(outcome, mapping=mapping, student=attempt.stored("student"))
        (attempt.folder / "student" / card.FILE).write_text(card.card(cell, made, teacher_made), encoding="utf-8")
        return made

    return attempts.make(records.cell(cell.fingerprint), run, context, compute, tune.report)
