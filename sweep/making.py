"""Makes the teachers and cells that a plan lacks: one trial per teacher and per cohort of cells."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.grid.cells import Cell
from sweep.jobs import room, work
from sweep.jobs.attempts import Context
from sweep.plan import states
from sweep.plan.checks import Checked
from sweep.plan.cohorts import Cohorts
from sweep.plan.states import Plan
from sweep.records.records import Records
from sweep.report.terminal import LiveProgress
from sweep.spec.sweep import Resources
from sweep.sweep_run import SweepRun


def make(
    checked: Checked,
    plan: Plan,
    teacher_cells: Sequence[Cell],
    cells: Sequence[Cell],
    sweep_run: SweepRun,
    resources: Resources,
    driver: str,
    progress: LiveProgress,
) -> work.Left:
    """Returns what is left to do. `driver` is the token of this command's heartbeat.

    A cell whose teacher is neither ready nor among these is left out.
    """
    config, records = checked.config, Records(sweep_run.storage)
    context = Context(
        sweep=config.name,
        storage_url=config.storage_url,
        tracking=sweep_run.tracking if sweep_run.is_tracked else None,
        code=sweep_run.code,
        num_threads=config.resources.cpus,
        driver=driver,
        stall_minutes=config.failures.stall_minutes,
    )
    new_teachers = {cell.teacher_hash for cell in teacher_cells}
    ready = [cell for cell in cells if cell.teacher_hash in new_teachers or records.teacher(cell.teacher_hash).result()]
    for cell in ready:
        states.declare(cell, records)
    jobs = [work.Job((cell,), (sweep_run.teacher_run(cell),)) for cell in teacher_cells]
    cohorts = Cohorts.of_sizes(checked.sizes(), room.num_bytes(resources), resources.gpus)
    for cohort in cohorts.divide(ready, plan.steps, room.num_at_once(resources), resources.cohort):
        jobs.append(work.Job(cohort, tuple(map(sweep_run.cell_run, cohort))))
    return work.make(jobs, config, context, checked.data, progress)
