"""A planned sweep carried out: tracking opened, teachers, cells, students kept, report. Knows Ray and MLflow."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

import ray
from rich.console import Console
from rich.text import Text

from sweep import environment, keep, labels, plan, report, results, schedule, terminal, views
from sweep.archive import Sweep
from sweep.attempts import Context
from sweep.checks import Checked
from sweep.command import Command
from sweep.grid import Cell
from sweep.plan import Plan
from sweep.records import Facts, Records, now
from sweep.runs import RunSpec
from sweep.storage import Storage
from sweep.teachers import train_teacher
from sweep.tracking import Tracking, TrackingError
from sweep.trial import train_cell
from trainables.errors import InputError, Problem

INTERRUPTED = 130


def run(checked: Checked, planned: Plan, asked: Command, arguments: Sequence[str], console: Console) -> int:
    """Carries the plan out; returns the exit status. Raises InputError before anything has started."""
    conductor = Conductor(checked, planned, asked, shlex.join(["python", "sweep/run.py", *arguments]), console)
    previous = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return conductor.run()
    except KeyboardInterrupt:
        conductor.interrupted()
        console.print(Text("\nInterrupted. What is finished is kept: run the same command again to continue.", "bold"))
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)
        ray.shutdown()


@dataclass
class Conductor:
    """One sweep under way."""

    checked: Checked
    plan: Plan
    asked: Command
    command: str
    console: Console
    environment: Facts = field(default_factory=environment.describe)
    parent: str = ""
    is_tracked: bool = True

    def __post_init__(self) -> None:
        self.config = self.checked.config
        self.storage = Storage(self.config.storage_url)
        self.records = Records(self.storage)
        artifacts = f"{self.config.storage_url}/mlflow-artifacts" if self.storage.is_local else None
        self.tracking = Tracking(self.config.tracking_url, self.config.name, artifacts)

    def run(self) -> int:
        retry = self.asked.retry_failed
        cells = self.plan.cells_to_run(retry_failed=retry)
        teachers = self.plan.teachers_to_make(self.plan.cells.values(), retry_failed=retry)
        if cells or teachers:
            schedule.connect(self.asked.address)
            schedule.check_resources(self.config.resources)
        self._open()
        if cells or teachers:
            with terminal.Progress(self.console) as progress:
                self._work(teachers, cells, progress)
        keep.students(self.config.keep, self.plan.cells.values(), self.records)
        rows = self._report()
        return 0 if self.is_tracked and all(row.status == "done" for row in rows) else 1

    def interrupted(self) -> None:
        """Ends the sweep's own run; those of its cells are ended when it is run again."""
        if self.parent:
            with contextlib.suppress(TrackingError):
                self.tracking.finish(self.parent, "KILLED", reason="interrupted")

    def _open(self) -> None:
        """The sweep's own run, before any cell: an experiment is made here alone."""
        described = {
            "config.json": self.config.model_dump_json(indent=2),
            "environment.json": json.dumps(self.environment, indent=2),
            "plan.json": json.dumps(
                {key: cell.config.model_dump(mode="json") for key, cell in self.plan.cells.items()}, indent=2
            ),
        }
        about = f"Distillation sweep of {len(self.plan.cells)} cells and {len(self.plan.teachers)} teachers."
        try:
            self.parent = self.tracking.open_sweep(environment.tags(self.environment), about, described)
            self.tracking.tag_experiment(views.tags())
        except TrackingError as error:
            if self.config.tracking_required:
                raise InputError([Problem("tracking_uri", f"got {self.config.tracking_url!r}; {error}")]) from None
            self.console.print(Text(f"not tracked: {error}", style="red"))
            self.is_tracked = False

    def _work(self, teachers: Sequence[Cell], cells: Sequence[Cell], progress: terminal.Progress) -> None:
        context = Context(
            sweep=self.config.name,
            storage_url=self.config.storage_url,
            tracking=self.tracking if self.is_tracked else None,
            environment={key: self.environment[key] for key in ("git_commit", "git_dirty", "source_hash", "versions")},
            num_threads=self.config.resources.cpus,
        )
        data = {key: ray.put(rows) for key, rows in self.checked.data.items()}
        if teachers:
            progress.phase("teachers", len(teachers))
            jobs = {cell.teacher: (cell, self._teacher_run(cell)) for cell in teachers}
            names = {cell.teacher: labels.teacher_label(cell.config) for cell in teachers}
            self._note(schedule.run(train_teacher, names, self.config, progress, context=context, jobs=jobs, data=data))
        ready = [cell for cell in cells if self.records.teacher(cell.teacher).result()]
        if ready:
            progress.phase("cells", len(ready))
            for cell in ready:
                plan.declare(cell, self.records)
            jobs = {cell.fingerprint: (cell, self._cell_run(cell)) for cell in ready}
            names = {cell.fingerprint: labels.cell_label(cell.config) for cell in ready}
            self._note(schedule.run(train_cell, names, self.config, progress, context=context, jobs=jobs, data=data))

    def _note(self, ends: schedule.Ends) -> None:
        """Undelivered runs are drawn once more at the end; nothing is lost by then."""
        late = [job for job, facts in ends.facts.items() if not facts["delivered"]]
        if late:
            self.console.print(Text(f"{len(late)} runs were not tracked in time; they are drawn at the end"))

    def _cell_run(self, cell: Cell) -> RunSpec:
        return RunSpec.of_cell(cell, self.parent, environment.tags(self.environment))

    def _teacher_run(self, cell: Cell) -> RunSpec:
        return RunSpec.of_teacher(cell, self.parent, environment.tags(self.environment))

    def _report(self) -> list[results.Row]:
        """Table, page and runs from the records; whatever the cells came to."""
        cells = tuple(self.plan.cells.values())
        rows = results.rows(self.records, cells)
        sweep = Sweep(self.config.name, self.command, now(), self.environment, cells, self.config.tracking_url)
        written = report.write(self.storage, sweep, rows)
        self._fill(rows)
        student = report.best_student(rows, sweep, self.records)
        terminal.show_results(rows, self.console, student, [written.csv, written.html])
        return rows

    def _fill(self, rows: Sequence[results.Row]) -> None:
        """Draws the runs that are not there yet from the records, and ends the sweep's own."""
        if not self.is_tracked:
            return
        teachers = [(self._teacher_run(c), self.records.teacher(key)) for key, c in self.plan.teachers.items()]
        cells = [(self._cell_run(c), self.records.cell(key)) for key, c in self.plan.cells.items()]
        folder = f"sweeps/{self.config.name}"
        try:
            self.tracking.fill_missing(self.parent, [*teachers, *cells])
            for name in ("report.html", "results.csv"):
                if file := self.storage.local(f"{folder}/{name}"):
                    self.tracking.add_artifact(self.parent, file)
            is_done = all(row.status == "done" for row in rows)
            self.tracking.finish(self.parent, "FINISHED" if is_done else "FAILED")
        except TrackingError as error:
            self.console.print(Text(f"not tracked: {error}", style="red"))
            self.is_tracked = False
