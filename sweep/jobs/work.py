"""Trains the missing teachers and cells of a plan on Ray. Loads Ray and torch, which takes seconds."""

from __future__ import annotations

import logging
import signal
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ray
from ray import tune

from sweep import interrupts
from sweep.grid.cells import Cell
from sweep.jobs import reach, room, schedule
from sweep.jobs.attempts import Context, Ended
from sweep.jobs.deaths import Deaths
from sweep.jobs.loading import load
from sweep.jobs.progress import ENDED
from sweep.jobs.teachers import train_teacher
from sweep.jobs.trial import train_cells
from sweep.records.records import RecordKind, Records
from sweep.report.terminal import LiveProgress
from sweep.spec.sweep import SweepConfig
from sweep.tracking.runs import RunSpec
from trainables import plugins
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
        room.ensure(config.resources, address)
        reach.check(config, [cell.config for cell in cells])
        logger.info("nodes of Ray: %d; trials at once: %d", len(ray.nodes()), room.num_at_once(config.resources))
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


@dataclass(frozen=True)
class Job:
    """A teacher or a cohort of cells to be trained, as one trial. Each run has its kind, its identity and its name."""

    cells: tuple[Cell, ...]
    """For a teacher, the first cell that uses it."""
    runs: tuple[RunSpec, ...]

    @property
    def name(self) -> str:
        """The identity of its first cell, or of its teacher."""
        return self.runs[0].identity

    @property
    def kind(self) -> RecordKind:
        return self.runs[0].kind

    @property
    def data(self) -> str:
        return self.cells[0].data

    @property
    def needs(self) -> str | None:
        """The job that must be done first; None for a teacher."""
        return self.cells[0].teacher_hash if self.kind == "cell" else None

    def make(self, context: Context, rows: Data) -> dict[str, Ended]:
        """Makes one attempt at each record in this process."""
        if self.kind == "teacher":
            return train_teacher(self.cells[0], self.runs[0], context, rows)
        return train_cells(self.cells, self.runs, context, rows)

    def num_steps(self, num_examples: int) -> int | None:
        """The optimiser steps of each of its models; None for a teacher that is ready."""
        config = self.cells[0].config
        train = config.train if self.kind == "cell" else config.model.finetune
        return Schedule.of(train, num_examples).num_steps if train else None


def train(
    config: dict[str, Any], context: Context, jobs: Mapping[str, Job | None], data: Mapping[str, ray.ObjectRef[Data]]
) -> None:
    """The Tune trainable: runs the job `config["job"]`. Its last report says how each cell or teacher ended.

    Without a job, the worker only loads what jobs need.
    """
    job = jobs[config["job"]]
    if job is None:
        load()
    else:
        ends = job.make(context, ray.get(data[job.data]))
        tune.report({ENDED: {identity: end.facts() for identity, end in ends.items()}})


@dataclass(frozen=True)
class Left:
    """What is left to do after the jobs."""

    num_late: int = 0
    """The runs that could not be tracked in time."""
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str])
    """Identity -> which other sweep, or which other driver of this one, computes it."""
    has_recovered: bool = False
    """Whether a worker has died, which may have left a lease and temporary files."""


def make(
    jobs: Iterable[Job], config: SweepConfig, context: Context, data: Mapping[str, Data], progress: LiveProgress
) -> Left:
    """Trains teachers and cohorts in their order, each cohort after its teacher."""
    by_name = {job.name: job for job in jobs}
    if not by_name:
        return Left()
    runs = [run for job in by_name.values() for run in job.runs]
    names = distinct({run.identity: run.name for run in runs})
    steps: dict[str, dict[str, int | None]] = {"teachers": {}, "cells": {}}
    for job in by_name.values():
        num_steps = job.num_steps(len(data[job.data].train))
        steps[f"{job.kind}s"] |= {names[run.identity]: num_steps for run in job.runs}
    progress.begin(steps)
    needs = {key: job.needs for key, job in by_name.items() if job.needs in by_name}
    loading = _loading(by_name, needs, room.num_at_once(config.resources))
    order = [*(key for key in by_name if key not in needs), *loading, *needs]
    shown = {key: {run.identity: names[run.identity] for run in job.runs} for key, job in by_name.items()}
    shared = {key: ray.put(rows) for key, rows in data.items()}
    records = {run.identity: Records(context.storage).of(run.kind, run.identity) for run in runs}
    ends = schedule.run(
        train,
        {key: shown.get(key, {}) for key in order},
        config,
        progress,
        needs,
        until=loading,
        tell_failure=Deaths(records, context.driver).tell,
        context=context,
        jobs=Carried({**by_name, **dict.fromkeys(loading)}),
        data=shared,
    )
    return Left(
        num_late=sum(not facts["delivered"] for facts in ends.facts.values()),
        elsewhere={identity: facts["elsewhere"] for identity, facts in ends.facts.items() if facts["elsewhere"]},
        has_recovered=ends.has_recovered,
    )


def _loading(jobs: Mapping[str, Job], needs: Mapping[str, str], num_at_once: int) -> dict[str, frozenset[str]]:
    """Trials for the workers that have nothing to do until the first of these teachers is done."""
    num_ready = len(jobs) - len(needs)
    teachers = frozenset(needs.values())
    return {f"loading-{index}": teachers for index in range(min(num_at_once - num_ready, len(needs)))}


def distinct(names: Mapping[str, str]) -> dict[str, str]:
    """The names of cells and teachers. Where several share a name, the start of the hash of each follows it."""
    counts = Counter(names.values())
    return {key: name if counts[name] == 1 else f"{name} · {key[:6]}" for key, name in names.items()}
