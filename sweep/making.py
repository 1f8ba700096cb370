"""Makes the teachers and cells that a plan lacks: one trial per teacher and per cohort of cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from sweep.jobs import room, work
from sweep.jobs.attempts import Context
from sweep.plan import states
from sweep.plan.checks import Checked
from sweep.plan.cohorts import Cohorts
from sweep.plan.states import Plan
from sweep.records import waiting
from sweep.records.drivers import Drivers
from sweep.records.records import Records
from sweep.report.terminal import LiveProgress
from sweep.spec.sweep import Resources
from sweep.sweep_run import SweepRun
from trainables.wording import count


@dataclass
class Maker:
    """Makes what plans lack on the Ray that this process is connected to."""

    sweep_run: SweepRun
    resources: Resources
    drivers: Drivers
    console: Console
    is_clean: bool = True
    """Whether no worker has died, which may have left a lease or a temporary file."""

    def make(self, checked: Checked, plan: Plan, *, retry_failed: bool) -> None:
        """Makes what a plan lacks, with its progress on the terminal; at last what others have left of it."""
        records = Records(self.sweep_run.storage)
        while plan.has_work(retry_failed=retry_failed):
            elsewhere = self._run_trials(checked, plan, retry_failed=retry_failed)
            if not elsewhere:
                return
            for reason, number in Counter(elsewhere.values()).items():
                text = f"This command waits for {number} of the cells and teachers: {reason}"
                self.console.print(Text(text), soft_wrap=True)
            waiting.until_free(plan.records(records, elsewhere), self.drivers.judge)
            left = [cell for cell in plan.cells.values() if {cell.fingerprint, cell.teacher_hash} & elsewhere.keys()]
            checked, retry_failed = checked.of(left), False
            plan = Plan.of(checked, records)

    def _run_trials(self, checked: Checked, plan: Plan, *, retry_failed: bool) -> Mapping[str, str]:
        """Returns who makes the teachers and cells that were left to others, by identity."""
        jobs = self._jobs(checked, plan, retry_failed=retry_failed)
        was_clean, self.is_clean = self.is_clean, False  # an interrupt ends workers wherever they are
        with LiveProgress(self.console) as progress:
            left = work.make(jobs, checked.config, self._context(checked), checked.data, progress)
        self.is_clean = was_clean and not left.has_recovered
        if left.num_late:  # their records are complete, so that nothing is lost
            late = count(left.num_late, "run")
            self.console.print(Text(f"MLflow did not take {late} in time; the command tracks them at its end"))
        return left.elsewhere

    def _context(self, checked: Checked) -> Context:
        config = checked.config
        return Context(
            sweep=config.name,
            storage_url=config.storage_url,
            tracking=self.sweep_run.tracking if self.sweep_run.is_tracked else None,
            code=self.sweep_run.code,
            num_threads=config.resources.cpus,
            driver=self.drivers.holder.token,
            stall_minutes=config.failures.stall_minutes,
        )

    def _jobs(self, checked: Checked, plan: Plan, *, retry_failed: bool) -> list[work.Job]:
        """Teachers first. A cell whose teacher is neither ready nor among them is left out."""
        records, resources = Records(self.sweep_run.storage), self.resources
        teacher_cells = plan.teacher_cells_to_make(retry_failed=retry_failed)
        new_teachers = {cell.teacher_hash for cell in teacher_cells}
        ready = [
            cell
            for cell in plan.cells_to_run(retry_failed=retry_failed)
            if cell.teacher_hash in new_teachers or records.teacher(cell.teacher_hash).result()
        ]
        for cell in ready:
            states.declare(cell, records)
        cohorts = Cohorts.of_sizes(checked.sizes(), room.num_bytes(resources), resources.gpus)
        divided = cohorts.divide(ready, plan.steps, room.num_at_once(resources), resources.cohort)
        return [
            *(work.Job((cell,), (self.sweep_run.teacher_run(cell),)) for cell in teacher_cells),
            *(work.Job(cohort, tuple(map(self.sweep_run.cell_run, cohort))) for cohort in divided),
        ]
