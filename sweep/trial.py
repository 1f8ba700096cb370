"""The Tune trainable of a cell: distils it, and writes its record and its run.

The driver only names it: torch is imported where it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from sweep import attempts, card
from sweep.attempts import Context
from sweep.grid import Cell
from sweep.records import Attempt, Facts, Records
from sweep.runs import RunSpec
from trainables.tasks.rows import Data

if TYPE_CHECKING:
    from trainables.loop import Report

Job = tuple[Cell, RunSpec]


def train_cell(
    config: dict[str, Any],
    context: Context,
    jobs: Mapping[str, Job],
    data: Mapping[str, ray.ObjectRef[Data]],
) -> None:
    """Runs the job that `config["job"]` names; reports how it ended as the trial's last result."""
    from trainables import distill

    cell, run = jobs[config["job"]]
    rows = ray.get(data[cell.data])
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

    ended = attempts.make(records.cell(cell.fingerprint), run, context, compute, tune.report)
    tune.report(ended.facts())
