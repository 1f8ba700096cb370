"""The run of a sweep in MLflow, and the runs of its cells and teachers, as long as the tracking store answers."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from sweep.grid import variation
from sweep.grid.cells import Cell
from sweep.plan import states
from sweep.plan.states import Plan
from sweep.records import log
from sweep.records.environment import CodeVersion
from sweep.records.joined import all_cells
from sweep.records.records import Records, now
from sweep.records.storage import Storage
from sweep.report.labels import Labels
from sweep.report.results import ResultRow
from sweep.report.usage import SavedStudent, usage_from_mlflow
from sweep.search.study import Candidate
from sweep.spec.messages import quote
from sweep.spec.passwords import without_passwords
from sweep.spec.sweep import SweepConfig
from sweep.students import published
from sweep.tracking import tags, views
from sweep.tracking.experiment import TrackingError
from sweep.tracking.runs import RunSpec, measured_points
from sweep.tracking.tracking import Tracking
from trainables import own_metrics
from trainables.errors import InputError, Problem
from trainables.wording import count

logger = logging.getLogger(__name__)

FILES = ("report.html", "results.csv", "candidates.csv", "scores.csv", "differences.csv", "tables.tex")
"""What the run of a sweep has of its report."""


@dataclass
class SweepRun:
    """The run of a sweep. Once the tracking store fails, `is_tracked` is false and nothing more is tracked."""

    config: SweepConfig
    plan: Plan
    code: CodeVersion
    storage: Storage
    console: Console
    parent: str = ""
    """The id of the run in MLflow; empty until it is open."""
    is_tracked: bool = True
    publisher: published.Publisher | None = None
    candidates: dict[str, Candidate] = field(default_factory=dict[str, Candidate])
    """The candidates of a search that have been asked, by fingerprint."""

    def __post_init__(self) -> None:
        artifacts = f"{self.config.storage_url}/mlflow-artifacts" if self.storage.is_local else None
        self.tracking = Tracking(self.config.tracking_url, self.config.name, artifacts)

    @property
    def searched(self) -> tuple[str, ...]:
        """The fields that a search sets."""
        return tuple(self.config.search.fields) if self.config.search else ()

    def open(self, artifacts: Mapping[str, str], running: Collection[str] = ()) -> None:
        """Opens the run and its experiment, before any cell starts. `artifacts`: file name -> text.

        `running`: the cells and teachers that other drivers of the sweep compute now.

        Raises InputError if the tracking store fails and the config requires tracking.
        """
        size = f"{count(len(self.plan.cells), 'cell')} and {count(len(self.plan.teacher_cells), 'teacher')}"
        description = f"Distillation sweep of {size}."
        try:
            if self.config.register:
                self._check_registry(self.config.register)
            self.parent = self.tracking.open_sweep(tags.of_code(self.code), description, artifacts, running)
            cells = all_cells(self.config.name, self.plan.cells.values(), self.storage, self.searched)
            fields = variation.varied_fields([cell.config for cell in cells])
            self.tracking.tag_experiment(views.tags([field for field in fields if field not in self.searched]))
        except TrackingError as error:
            if self.config.tracking_required:
                raise InputError([Problem("tracking_uri", f"got {quote(self.config.tracking_url)}; {error}")]) from None
            self._stop_tracking(error)

    def _check_registry(self, name: str) -> None:
        """Raises InputError if no model registry answers, before anything is computed."""
        try:
            published.check_registry(self.tracking)
        except TrackingError as error:
            if not self.config.tracking_required:
                raise
            reason = f"no model registry answers at {without_passwords(self.config.tracking_url)}: {error}"
            raise InputError([Problem("register", f"got {quote(name)}; {reason}")]) from None

    def log_start(self, host: str) -> None:
        """Logs where the sweep runs, and the states and labels of its teachers and cells."""
        logger.info("it runs on %s as process %d", host, os.getpid())
        logger.info("the sweep %s has %s", self.config.name, states.counts(self.plan))
        for kind, cells in (("teachers", self.plan.teacher_cells), ("cells", self.plan.cells)):
            for key in cells:
                logger.info("%s/%s is %s", kind, key, self.plan.labels[key])
        server = without_passwords(self.config.tracking_address) if self.is_tracked else "no server"
        logger.info("its runs go to %s", server)
        place = without_passwords(self.storage.full_url("cells/<fingerprint>/attempts/<n>"))
        logger.info("each attempt logs to %s/%s; attempts of teachers log below teachers/", place, log.FILE)

    def cell_run(self, cell: Cell) -> RunSpec:
        candidate = self.candidates.get(cell.fingerprint)
        name = candidate.name if candidate else self.plan.labels[cell.fingerprint]
        return RunSpec.of_cell(cell, name, self.parent, tags.of_code(self.code), is_candidate=candidate is not None)

    def teacher_run(self, cell: Cell) -> RunSpec:
        return RunSpec.of_teacher(cell, self.plan.labels[cell.teacher_hash], self.parent, tags.of_code(self.code))

    def system_metrics(self) -> contextlib.AbstractContextManager[Any]:
        """Logs this machine's load to the run of the sweep while cells are computed."""
        return self.tracking.system_metrics(self.parent) if self.is_tracked else contextlib.nullcontext()

    def fill_missing(self) -> tuple[str, dict[str, str]]:
        """Tracks the runs that are missing, from the records; returns the same as `ended_runs`."""
        if not self.is_tracked:
            return "", {}
        records = Records(self.storage)
        teacher_runs = [(self.teacher_run(cell), records.teacher(key)) for key, cell in self.plan.teacher_cells.items()]
        cells = [*self.plan.settled, *(candidate.cell for candidate in self.candidates.values())]
        cell_runs = [(self.cell_run(cell), records.cell(cell.fingerprint)) for cell in cells]
        try:
            self.tracking.fill_missing(self.parent, [*teacher_runs, *cell_runs])
        except TrackingError as error:
            self._stop_tracking(error)
        return self.ended_runs()

    def ended_runs(self) -> tuple[str, dict[str, str]]:
        """The id of the experiment, and cell fingerprint or teacher hash -> id of its ended run."""
        if not self.is_tracked:
            return "", {}
        try:
            runs = {identity: run_id for (identity, _), run_id in self.tracking.ended(self.parent).items()}
            return self.tracking.experiment_id, runs
        except TrackingError as error:
            self._stop_tracking(error)
            return "", {}

    def add_measured(self, cells: Iterable[Cell]) -> None:
        """Adds what was measured afterwards to the runs of these cells and of their teachers."""
        known = [cell for cell in cells if own_metrics.names(cell.config.task.kind)]
        if not self.is_tracked or not known:
            return
        records = Records(self.storage)
        both = {cell.teacher_hash: (records.teacher(cell.teacher_hash), cell) for cell in known}
        both |= {cell.fingerprint: (records.cell(cell.fingerprint), cell) for cell in known}
        points = {key: measured_points(record, cell.config.task.kind) for key, (record, cell) in both.items()}
        try:
            self.tracking.add_measured(self.parent, {key: each for key, each in points.items() if each})
        except TrackingError as error:
            self._stop_tracking(error)

    def finish(self, rows: Sequence[ResultRow], verdict: Labels) -> None:
        """Adds the table, the report and the verdict to the run of the sweep, and ends it."""
        if not self.is_tracked:
            return
        try:
            for name in FILES:
                if file := self.storage.local(f"sweeps/{self.config.name}/{name}"):
                    self.tracking.add_artifact(self.parent, file)
            self.tracking.describe(self.parent, verdict.tags, verdict.metrics, now())
            is_done = self.plan.is_settled and all(row.status == "done" for row in rows)
            self.tracking.finish(self.parent, "FINISHED" if is_done else "FAILED")
        except TrackingError as error:
            self._stop_tracking(error)

    def end(self, *, is_done: bool) -> None:
        """Ends the run of a sweep whose report another driver draws."""
        try:
            if self.is_tracked:
                self.tracking.finish(self.parent, "FINISHED" if is_done else "FAILED")
        except TrackingError as error:
            self._stop_tracking(error)

    def fail(self, reason: str) -> None:
        """Ends the run of a sweep that has no result."""
        try:
            if self.is_tracked:
                self.tracking.finish(self.parent, "FAILED", reason)
        except TrackingError as error:
            self._stop_tracking(error)

    def publish(self, student: SavedStudent, run_id: str) -> None:
        """Logs the best student as an MLflow model, and registers it if the config says so."""
        name, folder = self.config.register, Records(self.storage).cell(student.row.fingerprint).path("student")
        if reason := published.obstacle(folder, registering=name is not None):
            self.console.print(Text(f"The best student is not logged to MLflow: {reason}"), soft_wrap=True)
            return
        assert folder is not None
        try:
            log = self.publisher.log if self.publisher else published.log
            model_id = log(self.tracking, run_id, student, folder)
            self.console.print(Text(f"The best student in MLflow: models:/{model_id}"), soft_wrap=True)
            if name:
                version = published.register(self.tracking, name, model_id, run_id, student)
                self.console.print(Text(f"Registered: models:/{name}/{version}"), soft_wrap=True)
            for line in usage_from_mlflow(student.config, without_passwords(self.config.tracking_address), model_id):
                self.console.print(Text(f"    {line}", style="cyan"), soft_wrap=True)
        except TrackingError as error:
            self._stop_tracking(error)

    def interrupt(self, running: Collection[str] = (), *, goes_on: bool = False) -> None:
        """Ends the run of the sweep and the runs of its unfinished cells as interrupted; see `Tracking.interrupt`."""
        if self.parent:
            with contextlib.suppress(TrackingError):
                self.tracking.interrupt(self.parent, running, goes_on=goes_on)

    def _stop_tracking(self, error: TrackingError) -> None:
        logger.warning("tracking has stopped: %s", error)
        self.console.print(Text(f"Tracking has stopped: {error}", style="red"))
        self.is_tracked = False
