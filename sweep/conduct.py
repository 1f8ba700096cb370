"""Carries out a plan: opens tracking, computes teachers and cells, keeps students and writes the report.

Ray and torch are imported only if there is something to compute; a finished sweep needs neither.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from sweep import interrupts
from sweep.grid.cells import Cell
from sweep.plan import states
from sweep.plan.checks import Checked
from sweep.plan.states import Plan
from sweep.records import environment, log
from sweep.records.archive import Sweep
from sweep.records.environment import SweepEnvironment
from sweep.records.records import Records, now
from sweep.records.storage import Storage
from sweep.report import page, results, terminal
from sweep.report.usage import SavedStudent
from sweep.spec.command import Command
from sweep.spec.messages import shown
from sweep.spec.passwords import hidden, hidden_in
from sweep.students import keep, published
from sweep.tracking import tags, views
from sweep.tracking.experiment import TrackingError
from sweep.tracking.runs import RunSpec
from sweep.tracking.tracking import Tracking
from trainables import plugins
from trainables.errors import InputError, Problem

logger = logging.getLogger(__name__)


def run(checked: Checked, plan: Plan, options: Command, arguments: Sequence[str], console: Console) -> int:
    """Carries out the plan; returns the exit status. Raises InputError only before anything has started."""
    command = shlex.join(["python", "sweep/run.py", *map(hidden, arguments)])
    conductor = Conductor(checked, plan, options, command, console)
    with interrupts.handled():
        try:
            return conductor.run()
        except KeyboardInterrupt:
            logger.warning("the sweep is interrupted")
            conductor.at_end.close()  # ends the workers first, so that none writes to a run that is ended below
            conductor.interrupted()
            message = "Interrupted. What is finished is kept. Run the same command again to continue."
            console.print(Text(f"\n{message}", "bold"))
            return interrupts.STATUS
        finally:
            conductor.at_end.close()


@dataclass
class Conductor:
    """A sweep while it runs."""

    checked: Checked
    plan: Plan
    options: Command
    command: str
    console: Console
    environment: SweepEnvironment = field(default_factory=environment.describe)
    parent: str = ""
    is_tracked: bool = True
    publisher: published.Publisher | None = None
    at_end: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    """The contexts to leave when the sweep ends, for whatever reason."""

    def __post_init__(self) -> None:
        self.config = self.checked.config
        self.storage = Storage(self.config.storage_url)
        self.records = Records(self.storage)
        artifacts = f"{self.config.storage_url}/mlflow-artifacts" if self.storage.is_local else None
        self.tracking = Tracking(self.config.tracking_url, self.config.name, artifacts)

    def run(self) -> int:
        retry = self.options.retry_failed
        cells = self.plan.cells_to_run(retry_failed=retry)
        teacher_cells = self.plan.teacher_cells_to_make(self.plan.cells.values(), retry_failed=retry)
        if cells or teacher_cells:
            from sweep.jobs import gpus, work

            work.check_families(self.plan.cells.values())
            self.at_end.enter_context(work.connected(self.config, self.plan.cells.values(), self.options.address))
            gpus.check(self.config.resources, self.checked.sizes().values())
        else:
            self.console.print(Text(f"nothing to run: {states.counts(self.plan)}"))
        self._start_tracking()
        if cells or teacher_cells:
            if self.is_tracked and not published.is_loaded():
                self.publisher = published.Publisher()
                self.at_end.callback(self.publisher.close)
            with terminal.LiveProgress(self.console) as progress, self._system_metrics():
                self._compute(teacher_cells, cells, progress)
        keep.students(self.config.keep, self.plan.cells.values(), self.records)
        rows = self._report()
        return 0 if self.is_tracked and all(row.status == "done" for row in rows) else 1

    def interrupted(self) -> None:
        """Ends the run of the sweep and the runs of its unfinished cells as interrupted."""
        if self.parent:
            with contextlib.suppress(TrackingError):
                self.tracking.interrupt(self.parent)

    def _start_tracking(self) -> None:
        """Opens the run of the sweep and its experiment before any cell starts, and archives the sweep."""
        self.checked.revisions.keep()
        artifacts = {
            "config.json": json.dumps(hidden_in(self.config.model_dump(mode="json")), indent=2),
            "environment.json": self.environment.model_dump_json(indent=2),
            "plan.json": json.dumps(
                {key: cell.config.model_dump(mode="json") for key, cell in self.plan.cells.items()}, indent=2
            ),
        }
        description = f"Distillation sweep of {len(self.plan.cells)} cells and {len(self.plan.teacher_cells)} teachers."
        try:
            if self.config.register:
                self._check_registry(self.config.register)
            self.parent = self.tracking.open_sweep(tags.of_code(self.environment), description, artifacts)
            self.tracking.tag_experiment(views.tags())
        except TrackingError as error:
            if self.config.tracking_required:
                raise InputError([Problem("tracking_uri", f"got {shown(self.config.tracking_url)}; {error}")]) from None
            self._stop_tracking(error)
        self._archive_entry(*self._ended_runs()).store(self.storage)
        self.at_end.enter_context(log.stored(self.storage, f"sweeps/{self.config.name}/logs/{log.start_name()}"))
        self._log_start()

    def _log_start(self) -> None:
        """Logs the command, where it runs, and the states and labels of teachers and cells."""
        logger.info("the command is: %s", self.command)
        logger.info("it runs on %s as process %d", self.environment.host, os.getpid())
        logger.info("the sweep %s has %s", self.config.name, states.counts(self.plan))
        for kind, cells in (("teachers", self.plan.teacher_cells), ("cells", self.plan.cells)):
            for key in cells:
                logger.info("%s/%s is %s", kind, key, self.plan.labels[key])
        logger.info("its runs go to %s", hidden(self.config.tracking_address) if self.is_tracked else "no server")
        place = hidden(self.storage.full_url("cells/<fingerprint>/attempts/<n>"))
        logger.info("each attempt logs to %s/%s; attempts of teachers log below teachers/", place, log.FILE)

    def _check_registry(self, name: str) -> None:
        """Raises InputError if no model registry answers, before anything is computed."""
        try:
            published.check_registry(self.tracking)
        except TrackingError as error:
            if not self.config.tracking_required:
                raise
            reason = f"no model registry answers at {hidden(self.config.tracking_url)}: {error}"
            raise InputError([Problem("register", f"got {shown(name)}; {reason}")]) from None

    def _system_metrics(self) -> contextlib.AbstractContextManager[Any]:
        """Logs this machine's load to the run of the sweep while cells are computed."""
        return self.tracking.system_metrics(self.parent) if self.is_tracked else contextlib.nullcontext()

    def _compute(self, teacher_cells: Sequence[Cell], cells: Sequence[Cell], progress: terminal.LiveProgress) -> None:
        from sweep.jobs import work
        from sweep.jobs.attempts import Context

        context = Context(
            sweep=self.config.name,
            storage_url=self.config.storage_url,
            tracking=self.tracking if self.is_tracked else None,
            code=self.environment,
            num_threads=self.config.resources.cpus,
        )
        new_teachers = {cell.teacher_hash for cell in teacher_cells}
        ready = [
            cell
            for cell in cells
            if cell.teacher_hash in new_teachers or self.records.teacher(cell.teacher_hash).result()
        ]
        for cell in ready:
            states.declare(cell, self.records)
        jobs = [work.Job(cell, self._teacher_run(cell)) for cell in teacher_cells]
        jobs += [work.Job(cell, self._cell_run(cell)) for cell in ready]
        num_late = work.make(jobs, self.config, context, self.checked.data, progress)
        if num_late:  # their records are complete, so that nothing is lost
            self.console.print(Text(f"{num_late} runs were not tracked in time; they are tracked at the end"))

    def _cell_run(self, cell: Cell) -> RunSpec:
        return RunSpec.of_cell(cell, self.plan.labels[cell.fingerprint], self.parent, tags.of_code(self.environment))

    def _teacher_run(self, cell: Cell) -> RunSpec:
        return RunSpec.of_teacher(
            cell, self.plan.labels[cell.teacher_hash], self.parent, tags.of_code(self.environment)
        )

    def _report(self) -> list[results.ResultRow]:
        """Reports all cells from their records, failed ones included, and returns the rows of the table."""
        rows = results.rows(self.records, tuple(self.plan.cells.values()))
        sweep = self._archive_entry(*self._fill_missing_runs())
        report = page.write(self.storage, sweep, rows)
        logger.info("the report is written: %s", report.html)
        self._finish(rows)
        student = page.best_student(rows, sweep, self.records)
        terminal.show_results(rows, self.console, student, [report.csv, report.html])
        if student and self.is_tracked:
            self._publish(student, sweep.runs[student.row.fingerprint])
        return rows

    def _publish(self, student: SavedStudent, run_id: str) -> None:
        """Logs the best student as an MLflow model, and registers it if the config says so."""
        name, folder = self.config.register, self.records.cell(student.row.fingerprint).path("student")
        if reason := published.why_not(folder, registering=name is not None):
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
        except TrackingError as error:
            self._stop_tracking(error)

    def _fill_missing_runs(self) -> tuple[str, dict[str, str]]:
        """Tracks the runs that are missing, from the records; returns the same as `_ended_runs`."""
        if not self.is_tracked:
            return "", {}
        teacher_runs = [(self._teacher_run(c), self.records.teacher(key)) for key, c in self.plan.teacher_cells.items()]
        cells = [(self._cell_run(c), self.records.cell(key)) for key, c in self.plan.cells.items()]
        try:
            self.tracking.fill_missing(self.parent, [*teacher_runs, *cells])
        except TrackingError as error:
            self._stop_tracking(error)
        return self._ended_runs()

    def _ended_runs(self) -> tuple[str, dict[str, str]]:
        """The id of the experiment, and cell fingerprint or teacher hash -> id of its ended run."""
        if not self.is_tracked:
            return "", {}
        try:
            runs = {identity: run_id for (identity, _), run_id in self.tracking.ended(self.parent).items()}
            return self.tracking.experiment_id, runs
        except TrackingError as error:
            self._stop_tracking(error)
            return "", {}

    def _archive_entry(self, experiment_id: str, runs: dict[str, str]) -> Sweep:
        """The archived description of the sweep, from which its results can be read together with the records."""
        return Sweep(
            name=self.config.name,
            command=self.command,
            time=now(),
            environment=self.environment,
            cells=tuple(self.plan.cells.values()),
            tracking_uri=hidden(self.config.tracking_address),
            experiment_id=experiment_id,
            runs=runs,
            plugins=plugins.active(),
        )

    def _finish(self, rows: Sequence[results.ResultRow]) -> None:
        """Adds the table and the report to the run of the sweep, and ends it."""
        if not self.is_tracked:
            return
        try:
            for name in ("report.html", "results.csv"):
                if file := self.storage.local(f"sweeps/{self.config.name}/{name}"):
                    self.tracking.add_artifact(self.parent, file)
            is_done = all(row.status == "done" for row in rows)
            self.tracking.finish(self.parent, "FINISHED" if is_done else "FAILED")
        except TrackingError as error:
            self._stop_tracking(error)

    def _stop_tracking(self, error: TrackingError) -> None:
        logger.warning("tracking has stopped: %s", error)
        self.console.print(Text(f"Tracking has stopped: {error}", style="red"))
        self.is_tracked = False
