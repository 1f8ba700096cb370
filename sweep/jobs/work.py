"""Trains the missing teachers and cells of a plan on Ray. Loads Ray and torch, which takes seconds."""

from __future__ import annotations

import logging
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune

from sweep import interrupts
from sweep.grid.cells import Cell
from sweep.jobs import reach, schedule
from sweep.jobs.attempts import Context, Ended
from sweep.jobs.teachers import train_teacher
from sweep.jobs.trial import train_cell
from sweep.records.records import RecordKind
from sweep.report.terminal import LiveProgress
from sweep.spec.sweep import SweepConfig
from sweep.tracking.runs import RunSpec
from trainables import plugins
from trainables.config import TrainConfig
from trainables.errors import InputError, Problem
from trainables.families import FAMILIES
from trainables.plugins import Carried
from trainables.steps import Schedule
from trainables.tasks.rows import Data

logger = logging.getLogger(__name__)


@contextmanager
def connected(config: SweepConfig, cells: Iterable[Cell], address: str | None) -> Generator[None]:
    """Connects to Ray or starts it. Raises InputError if a trial could not run or could not reach its files."""
    try:
        try:
            schedule.connect(address)
        except SystemExit as error:
            if error.code != signal.SIGTERM:
                raise
            raise KeyboardInterrupt from error  # the handler of Ray would end the process
        signal.signal(signal.SIGTERM, interrupts.first)  # in place of the handler of Ray
        schedule.check_resources(config.resources)
        reach.check(config, [cell.config for cell in cells])
        logger.info("nodes of Ray: %d; trials at once: %d", len(ray.nodes()), schedule.num_at_once(config.resources))
        yield
    finally:
        ray.shutdown()


def check_families(cells: Iterable[Cell]) -> None:
    """Raises InputError if the cells use a family of a plug-in that breaks the contract."""
    names = sorted({cell.config.model.family for cell in cells if plugins.is_own(cell.config.model.family)})
    if not names:
        return
    from trainables import contract  # with torch, which takes seconds to load

    problems: list[Problem] = []
    for name in names:
        try:
            contract.check(FAMILIES[name])
        except InputError as error:
            problems += [Problem("plugins", str(problem)) for problem in error.problems]
    if problems:
        raise InputError(problems)


MAKERS: Mapping[RecordKind, Callable[[Cell, RunSpec, Context, Data], Ended]] = {
    "teacher": train_teacher,
    "cell": train_cell,
}


@dataclass(frozen=True)
class Job:
    """A teacher or a cell to be trained. Its run has its kind, its identity and its name."""

    cell: Cell
    """For a teacher, the first cell that uses it."""
    run: RunSpec

    @property
    def kind(self) -> RecordKind:
        return self.run.kind

    @property
    def train(self) -> TrainConfig | None:
        """How the model is trained; None for a teacher that is ready."""
        config = self.cell.config
        return config.train if self.kind == "cell" else config.model.finetune

    @property
    def needs(self) -> str | None:
        """The identity of the job that must be done first; None for a teacher."""
        return self.cell.teacher_hash if self.kind == "cell" else None

    def make(self, context: Context, rows: Data) -> Ended:
        """Makes one attempt in this process."""
        return MAKERS[self.kind](self.cell, self.run, context, rows)


def train(
    config: dict[str, Any], context: Context, jobs: Mapping[str, Job], data: Mapping[str, ray.ObjectRef[Data]]
) -> None:
    """The Tune trainable: runs the job `config["job"]`. Its last result says how the job ended."""
    job = jobs[config["job"]]
    tune.report(job.make(context, ray.get(data[job.cell.data])).facts())


def make(
    jobs: Iterable[Job], config: SweepConfig, context: Context, data: Mapping[str, Data], progress: LiveProgress
) -> int:
    """Trains teachers and cells, each cell after its teacher.

    Returns the number of runs that could not be tracked in time.
    """
    by_identity = {job.run.identity: job for job in jobs}
    if not by_identity:
        return 0
    names = distinct({key: job.run.name for key, job in by_identity.items()})
    steps: dict[str, dict[str, int | None]] = {"teachers": {}, "cells": {}}
    for key, job in by_identity.items():
        steps[f"{job.kind}s"][names[key]] = _steps(job.train, len(data[job.cell.data].train))
    progress.begin(steps)
    needs = {key: job.needs for key, job in by_identity.items() if job.needs in by_identity}
    shared = {key: ray.put(rows) for key, rows in data.items()}
    ends = schedule.run(train, names, config, progress, needs, context=context, jobs=Carried(by_identity), data=shared)
    return sum(not facts["delivered"] for facts in ends.facts.values())


def _steps(config: TrainConfig | None, num_examples: int) -> int | None:
    return Schedule.of(config, num_examples).num_steps if config else None


def distinct(names: Mapping[str, str]) -> dict[str, str]:
    """The names of jobs. Where several share a name, the start of the hash of each job follows it."""
    counts = Counter(names.values())
    return {job: name if counts[name] == 1 else f"{name} · {job[:6]}" for job, name in names.items()}
