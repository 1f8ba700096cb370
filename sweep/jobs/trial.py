"""Distils the cells of a cohort on a worker, and writes their records and their runs.

The driver imports this module without torch, which is imported on the worker.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ray import tune

from sweep.grid.cells import Cell
from sweep.jobs import attempts, ladder
from sweep.jobs.attempts import Computed, Context, Ended, Target, Try
from sweep.jobs.claims import Claim, claimed
from sweep.jobs.ladder import Rung
from sweep.jobs.progress import Progress
from sweep.records.records import Records
from sweep.records.stored import CellResult, TeacherResult
from sweep.students import card
from sweep.tracking.runs import RunSpec
from trainables.parts import most_parts
from trainables.tasks.rows import Data

if TYPE_CHECKING:
    from trainables.member import Outcome

logger = logging.getLogger(__name__)


def train_cells(cells: Sequence[Cell], runs: Sequence[RunSpec], context: Context, rows: Data) -> dict[str, Ended]:
    """Distils cells of one cohort, whose teacher's record is finished; returns their ends by fingerprint."""
    return Trial(cells, runs, context, rows).run()


class Trial:
    """The training of a cohort; cells that are done already, or that another trial computes, are skipped."""

    def __init__(self, cells: Sequence[Cell], runs: Sequence[RunSpec], context: Context, rows: Data) -> None:
        self.context, self.rows = context, rows
        self.cells: Mapping[str, Cell] = {cell.fingerprint: cell for cell in cells}
        self.runs: Mapping[str, RunSpec] = {run.identity: run for run in runs}
        records = Records(context.storage)
        self.records = {key: records.cell(key) for key in self.cells}
        teacher_record = records.teacher(cells[0].teacher_hash)
        self.teacher_path, teacher_result = Path(teacher_record.location()), teacher_record.result()
        assert teacher_result is not None
        self.teacher_result: TeacherResult = teacher_result
        self.progress = Progress(tune.report)
        self.most_parts = min(most_parts(cell.config.train, cell.config.losses) for cell in cells)

    def run(self) -> dict[str, Ended]:
        with claimed(self.records.values(), self.context, self.progress) as claim:
            records = [self.records[key] for key in claim.leases]
            return claim.ends | ladder.make(records, self.most_parts, partial(self._attempt, claim=claim))

    def _attempt(self, rung: Rung, claim: Claim) -> dict[str, Ended]:
        targets = [
            Target(record, self.runs[record.identity], start, claim.leases[record.identity])
            for record, start in rung.group
        ]
        compute = rung.computing(self._compute)
        return attempts.make(targets, self.context, compute, self.progress, rung.num_parts, may_split=rung.may_split)

    def _compute(self, tries: Sequence[Try], num_parts: int) -> list[Computed]:
        from trainables import distill
        from trainables.member import Member

        members: list[Member] = []
        for each in tries:
            identity = each.attempt.record.identity
            config, name = self.cells[identity].config, self.runs[identity].name
            members.append(Member(config, each.attempt.folder, each.report, each.checkpoints, name))
        outcomes = distill.run(members, self.rows, self.teacher_path, self.context.num_threads, num_parts=num_parts)
        return [
            outcome if isinstance(outcome, Exception) else self._result(each, outcome, len(tries), num_parts)
            for each, outcome in zip(tries, outcomes, strict=True)
        ]

    def _result(self, each: Try, outcome: Outcome, size: int, num_parts: int) -> CellResult:
        attempt = each.attempt
        cell = self.cells[attempt.record.identity]
        result = CellResult(
            **attempts.shared(outcome, attempt, self.context, cell.config.task.kind, num_parts),
            cell=cell.fingerprint,
            mapping=outcome.mapping,
            student=attempt.stored("student"),
            cohort=size,
        )
        text = card.card(cell, result, self.teacher_result)
        (attempt.folder / "student" / card.FILE).write_text(text, encoding="utf-8")
        return result
