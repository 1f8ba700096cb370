"""Distillation of a cohort: students trained in lockstep under one teacher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from trainables.cell import Cell
from trainables.clock import Clock
from trainables.cohort import Cohort
from trainables.errors import NotFinite
from trainables.loop import Lockstep
from trainables.member import Member, Outcome
from trainables.sharing import cohort_key
from trainables.steps import Schedule
from trainables.targets import KEPT_BYTES
from trainables.tasks.rows import Data

Result = Outcome | NotFinite | ValueError
"""The outcome of a member, or the error that stopped this member alone."""


def run(
    members: Sequence[Member],
    data: Data,
    teacher: Path,
    num_threads: int = 1,
    kept_bytes: int = KEPT_BYTES,
    num_parts: int = 1,
) -> list[Result]:
    """Computes cells with the same `cohort_key`; each gets bit for bit the numbers that it gets alone.

    A member's folder gets student/, angles.npz, per_state.json and predictions.jsonl. `teacher` is a folder in
    `save_pretrained` form with its tokenizer, or a hub id, which is read at the model's `revision`. Members continue
    from their checkpoints, which must all be of the same step. `kept_bytes`: as in `Validation`. `num_parts`: the parts
    in which each micro-batch is computed, at most `trainables.parts.most_parts`.
    """
    assert len({cohort_key(member.config) for member in members}) == 1
    clock, first = Clock(), members[0].config
    cohort = Cohort(first, data, teacher, num_threads, num_parts)
    schedule = Schedule.of(first.train, len(data.train))
    started = [
        _started(member, cohort, schedule, cohort.placement.student(index)) for index, member in enumerate(members)
    ]
    cells = [cell for cell in started if isinstance(cell, Cell)]
    if cells:
        cohort.begin([cell.teacher_states() for cell in cells], kept_bytes)
        _train(cells, cohort, clock, num_parts)
    return [_finished(cell, clock) if isinstance(cell, Cell) else cell for cell in started]


def _started(member: Member, cohort: Cohort, schedule: Schedule, device: torch.device) -> Cell | ValueError:
    try:
        return Cell(member, cohort, schedule, device)
    except ValueError as error:
        return error


def _train(cells: Sequence[Cell], cohort: Cohort, clock: Clock, num_parts: int) -> None:
    for cell in cells:
        cell.begin()
    clock.stretch([cell.learner.seconds for cell in cells])
    Lockstep(
        learners=[cell.learner for cell in cells],
        config=cells[0].config.train,
        seed=cohort.seed,
        examples=cohort.evaluator.encode(cohort.data.train),
        pad_id=cohort.evaluator.pad_id,
        device=cohort.device,
        dtype=cohort.dtype,
        targets=cohort.targets,
        validation=cohort.validation,
        clock=clock,
        batches_at_random=cohort.quirks.batches_at_random,
        num_parts=num_parts,
    ).run()


def _finished(cell: Cell, clock: Clock) -> Result:
    try:
        return cell.learner.error or cell.finish(clock)
    except ValueError as error:
        return error
