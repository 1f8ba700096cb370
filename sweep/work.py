"""The teachers and cells of a plan that are not there yet, made on Ray. Loads Ray and torch, which takes seconds."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager

import ray

from sweep import labels, reach, schedule
from sweep.attempts import Context
from sweep.config import SweepConfig
from sweep.grid import Cell
from sweep.runs import RunSpec
from sweep.teachers import train_teacher
from sweep.terminal import Progress
from sweep.trial import train_cell
from trainables import plugins
from trainables.config import TrainConfig, TrialConfig
from trainables.errors import InputError, Problem
from trainables.families import FAMILIES
from trainables.plugins import Carried
from trainables.steps import Schedule
from trainables.tasks.rows import Data


@contextmanager
def connected(config: SweepConfig, cells: Iterable[Cell], address: str | None) -> Generator[None]:
    """Ray, joined or started. Raises InputError where a trial could not run, or reach its files."""
    try:
        schedule.connect(address)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray's own handler aborts the process
        schedule.check_resources(config.resources)
        reach.check(config, [cell.config for cell in cells])
        yield
    finally:
        ray.shutdown()


def check_families(cells: Iterable[Cell]) -> None:
    """Raises InputError where a family of a plug-in, which the cells use, breaks the contract."""
    own = sorted({cell.config.model.family for cell in cells if plugins.is_own(cell.config.model.family)})
    if not own:
        return
    from trainables import contract  # with torch, which takes seconds to load

    problems: list[Problem] = []
    for name in own:
        try:
            contract.check(FAMILIES[name])
        except InputError as error:
            problems += [Problem("plugins", str(problem)) for problem in error.problems]
    if problems:
        raise InputError(problems)


class Work:
    """What all jobs of a sweep share. Its methods return how many runs could not be tracked in time."""

    def __init__(self, config: SweepConfig, context: Context, data: Mapping[str, Data], progress: Progress) -> None:
        self._config, self._context, self._progress = config, context, progress
        self._num_train = {key: len(rows.train) for key, rows in data.items()}
        self._data = {key: ray.put(rows) for key, rows in data.items()}

    def teachers(self, cells: Iterable[Cell], run: Callable[[Cell], RunSpec]) -> int:
        """Makes the teacher of each cell."""
        jobs = {cell.teacher: (cell, run(cell)) for cell in cells}
        return self._make("teachers", train_teacher, jobs, labels.teacher_label, lambda config: config.model.finetune)

    def cells(self, cells: Iterable[Cell], run: Callable[[Cell], RunSpec]) -> int:
        """Runs each cell; its teacher is there."""
        jobs = {cell.fingerprint: (cell, run(cell)) for cell in cells}
        return self._make("cells", train_cell, jobs, labels.cell_label, lambda config: config.train)

    def _make(
        self,
        title: str,
        trainable: schedule.Trainable,
        jobs: Mapping[str, tuple[Cell, RunSpec]],
        label: Callable[[TrialConfig], str],
        train: Callable[[TrialConfig], TrainConfig | None],
    ) -> int:
        if not jobs:
            return 0
        names = distinct({job: label(cell.config) for job, (cell, _) in jobs.items()})
        steps = {names[job]: self._steps(cell, train(cell.config)) for job, (cell, _) in jobs.items()}
        self._progress.phase(title, steps)
        ends = schedule.run(
            trainable, names, self._config, self._progress, context=self._context, jobs=Carried(jobs), data=self._data
        )
        return sum(not facts["delivered"] for facts in ends.facts.values())

    def _steps(self, cell: Cell, train: TrainConfig | None) -> int | None:
        return Schedule.of(train, self._num_train[cell.data]).num_steps if train else None


def distinct(names: Mapping[str, str]) -> dict[str, str]:
    """The names of jobs, with the start of the job's hash where several have the same."""
    counts = Counter(names.values())
    return {job: name if counts[name] == 1 else f"{name} · {job[:6]}" for job, name in names.items()}
