"""Every check before anything starts: config, data, models, storage and tracking, with all problems at once.

Each data set and each model is checked once, not once per cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from sweep.grid.blocks import Once, OncePerSeeds
from sweep.grid.cells import Cell, Draft, draft
from sweep.grid.fingerprint import Fingerprints
from sweep.grid.space import corner_drafts, corners, search_problems, with_values
from sweep.plan.checks.baselines import with_baselines
from sweep.plan.checks.exports import export_problems
from sweep.plan.checks.memory import memory_problems
from sweep.plan.checks.models import Models
from sweep.plan.checks.places import storage_problems, tracking_problems
from sweep.plan.checks.sizes import CellSizes, distinct, sizes
from sweep.plan.checks.tasks import NOT_LOOKED_UP, Tasks
from sweep.plan.checks.teachers import TeacherSource
from sweep.records.revisions import Revisions
from sweep.spec.messages import NEEDED, is_same_field, quote
from sweep.spec.sweep import SweepConfig, load_partly
from trainables.config import ModelConfig, TaskConfig, TrialConfig
from trainables.device import resolve_dtype
from trainables.errors import InputError, Problem, raise_all
from trainables.tasks.rows import Data

_HAVE_A_NAME = "these cells have the name {} already, and a name alone makes no others: give them one name"


@dataclass(frozen=True)
class Checked:
    """A sweep that passed all checks, with what they have read."""

    config: SweepConfig
    cells: list[Cell]
    """The cells of the grid; under a search, their searched fields have no settled values."""
    data: dict[str, Data]
    """By `Cell.data`; without the data that a plan did not look up."""
    teacher_sources: dict[str, TeacherSource]
    """By `Cell.teacher_hash`."""
    revisions: Revisions
    """The commits of the hub's data sets; they are stored when the sweep starts."""

    def of(self, cells: Iterable[Cell]) -> Checked:
        """The same sweep with other cells, whose data and teachers are among those of its own."""
        return replace(self, cells=_distinct(cells))

    def largest(self) -> Iterator[CellSizes]:
        """The sizes of the cells, also with the ends of searched ranges and with searched choices: these must fit."""
        yield from distinct(self.sizes().values())
        fields = self.config.search.fields if self.config.search else {}
        values = [{path: corner.value} for path, span in fields.items() for corner in corners(path, span)]
        for cell, setting in product(self.cells, values):
            source, data = self.teacher_sources[cell.teacher_hash], self.data.get(cell.data)
            if changed := sizes(with_values(cell.config, setting), source, data):
                yield changed

    def sizes(self) -> dict[str, CellSizes]:
        """The sizes of the cells by fingerprint, without cells whose family does not declare its parameters.

        Cells that differ in their seeds alone have the same sizes: one object, with the config of the first.
        """
        known = OncePerSeeds[CellSizes | None]()

        def of(cell: Cell) -> CellSizes | None:
            source, data = self.teacher_sources[cell.teacher_hash], self.data.get(cell.data)
            return known.of(lambda config: sizes(config, source, data), cell.config, key=(cell.teacher_hash, cell.data))

        return {cell.fingerprint: each for cell in self.cells if (each := of(cell)) is not None}


def prepare(path: Path | None, overrides: Sequence[str] = (), *, look_up: bool = True) -> Checked:
    """The cells of a config file (None: the demo) under the overrides. Raises InputError with every problem.

    Without `look_up`, data of the hub is not downloaded where the task states its numbers of examples, nor is a
    teacher where the model states its shape.
    """
    config, problems = load_partly(path, overrides)
    drafts, grid_problems = draft(config)
    # If base, axes or grids are invalid, the keys that they would have given are not missing.
    is_whole = not any(problem.path.startswith(("base", "axes", "grids")) for problem in problems)
    problems += [problem for problem in grid_problems if is_whole or problem.message != NEEDED]
    tasks, models = Tasks(Revisions(config.storage_url), look_up=look_up), Models(look_up=look_up)
    checks = [problem for each in drafts for problem in tasks.check(each) + models.check(each, tasks.data(each))]
    # An invalid value has its problem already, and the default in its place may cause others.
    invalid = [problem.path for problem in grid_problems]
    problems += [problem for problem in checks if not any(is_same_field(problem.path, path) for path in invalid)]
    search = _search_problems(config, drafts, tasks, models)
    cells = _Cells(tasks, models, config.resources.gpus)
    known = [problem.path for problem in problems]
    problems += [problem for problem in search if not any(is_same_field(problem.path, path) for path in known)]
    valid = [(each, cell) for each in drafts if (cell := cells.of(each))]
    problems += _two_names(valid)
    problems += export_problems(config, (cell for _, cell in valid))
    problems += storage_problems(config) + tracking_problems(config)
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    assert len(valid) == len(drafts)
    checked = Checked(config, _distinct(cell for _, cell in valid), {}, {}, tasks.revisions)
    for each, cell in valid:
        data, teacher_source = tasks.data(each), models.teacher_source(each)
        assert teacher_source is not None
        checked.teacher_sources[cell.teacher_hash] = teacher_source
        if data is not None:
            checked.data[cell.data] = data
    raise_all(memory_problems(checked.largest(), config.resources))
    return checked.of(with_baselines(checked.cells, config.baselines, checked.sizes() if config.baselines else {}))


def _search_problems(config: SweepConfig, drafts: Sequence[Draft], tasks: Tasks, models: Models) -> list[Problem]:
    """The problems of a search, with those that the ends of its ranges and its choices have with the models."""
    if config.search is None:
        return []
    if problems := search_problems(config.search, drafts):
        return problems
    for each in drafts:
        known = models.check(each, tasks.data(each))
        for where, corner, changed in corner_drafts(config.search, [each]):
            new = [problem for problem in models.check(changed, tasks.data(changed)) if problem not in known]
            problems += [Problem(where, f"got {quote(corner.value)}; {problem}") for problem in new]
    return problems


class _Cells:
    """Makes cells of drafts; what drafts have in common is resolved and hashed once."""

    def __init__(self, tasks: Tasks, models: Models, gpus: float) -> None:
        self._tasks, self._models, self._gpus = tasks, models, gpus
        self._fingerprints = Fingerprints()
        self._resolved_models = Once[ModelConfig]()
        self._resolved_tasks = Once[TaskConfig]()
        self._dtypes: dict[str, str] = {}

    def of(self, each: Draft) -> Cell | None:
        """The cell of a draft; None if its config, data or teacher has a problem."""
        data, source = self._tasks.identity(each), self._models.teacher_source(each)
        if each.config is None or data is None or source is None:
            return None
        trial = self._resolved(each.config, source)
        teacher_hash = self._fingerprints.teacher(trial, data, source.identity)
        teacher_hash = f"{NOT_LOOKED_UP}{teacher_hash}" if source.is_stated else teacher_hash
        return Cell(trial, data, teacher_hash, self._fingerprints.cell(trial, data, teacher_hash))

    def _resolved(self, trial: TrialConfig, source: TeacherSource) -> TrialConfig:
        """The config with the dtype that `auto` stands for, and with the commits of the hub that were checked."""
        if trial.dtype not in self._dtypes:
            self._dtypes[trial.dtype] = resolve_dtype(trial.dtype, self._gpus)
        revision, revisions = source.revision, self._tasks.revisions
        model = self._resolved_models.of(
            lambda: trial.model.model_copy(update={"revision": revision}), trial.model, key=revision
        )
        task = self._resolved_tasks.of(lambda: revisions.found(trial.task), trial.task)
        return trial.model_copy(update={"model": model, "task": task, "dtype": self._dtypes[trial.dtype]})


def _distinct(cells: Iterable[Cell]) -> list[Cell]:
    """The first cell of each fingerprint."""
    first: dict[str, Cell] = {}
    for cell in cells:
        first.setdefault(cell.fingerprint, cell)
    return [*first.values()]


def _two_names(cells: Sequence[tuple[Draft, Cell]]) -> list[Problem]:
    """The problems of cells that differ only in the name of their model or task, which is not in their identity."""
    first: dict[str, TrialConfig] = {}
    problems: list[Problem] = []
    for each, cell in cells:
        known = first.setdefault(cell.fingerprint, cell.config)
        names = {"model": (cell.config.model.name, known.model.name), "task": (cell.config.task.name, known.task.name)}
        problems += [
            Problem(each.where((key, "name")), f"got {quote(name)}; {_HAVE_A_NAME.format(quote(before))}")
            for key, (name, before) in names.items()
            if name != before
        ]
    return problems
