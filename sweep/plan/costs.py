"""The cost of a sweep, estimated from the shapes of its models: GPU hours and storage.

The forward pass of a token takes 2 operations per weight that the token is multiplied with. The backward pass takes
twice as many: half for the gradient of the weights, half for that of the inputs (Kaplan et al., 2020, section 2.1).
Attention over the text is not counted. Every text counts as `task.max_length` tokens, which few texts have, so the
hours at `resources.gpu_tflops` are an upper estimate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.text import Text

from sweep.plan.checks import Checked
from sweep.plan.checks.memory import needs
from sweep.plan.checks.sizes import CellSizes, distinct
from sweep.plan.operations import ModelSize, student_size, teacher_size, training
from sweep.plan.states import Plan
from sweep.spec.sweep import Resources
from trainables import memory
from trainables.config import TrainConfig
from trainables.memory import WEIGHT
from trainables.steps import Schedule
from trainables.tasks.kinds import KINDS

GB = 10**9
TFLOPS = 0.4 * 312
"""The default rate of a GPU: 40% of an A100's peak in bf16."""
PAIR_BYTES, BIN_BYTES, NUM_BINS = 24, 8, 20
"""The contents of angles.npz: per student state and pair of teacher states, three numbers at each measurement and a
histogram at the first and the last one."""


def cell_operations(cell: CellSizes) -> float:
    """The operations of a student's training, evaluations and test, including those of the teacher."""
    config = cell.config
    student, teacher = student_size(cell), teacher_size(cell)
    schedule = Schedule.of(config.train, cell.splits.train)
    per_token = training(student, config.model.student_lora, config.train) + 2 * teacher.used
    num_eval = _num_eval(cell)
    per_example = evaluation(cell, student) + 2 * (student.used + teacher.used) * config.task.max_length
    return (
        _num_examples(schedule, config.train) * config.task.max_length * per_token
        + _num_evaluations(schedule) * num_eval * per_example
        + cell.splits.test * evaluation(cell, student)
    )


def shared_operations(cell: CellSizes) -> float:
    """The teacher's part of `cell_operations`, which the cells of a cohort share."""
    config, taught = cell.config, teacher_size(cell)
    examples = _num_examples(Schedule.of(config.train, cell.splits.train), config.train)
    return 2 * taught.used * config.task.max_length * (examples + _num_eval(cell))


def counted(cells: Iterable[CellSizes]) -> list[tuple[CellSizes, int]]:
    """Each distinct object with the number of cells that share it."""
    every = list(cells)
    counts = Counter(map(id, every))
    return [(cell, counts[id(cell)]) for cell in distinct(every)]


def teacher_operations(cell: CellSizes) -> float:
    """The operations of a teacher's training, evaluations and test; a ready teacher is not trained."""
    config, teacher = cell.config.model.finetune, teacher_size(cell)
    test = cell.splits.test * evaluation(cell, teacher)
    if config is None:
        return _num_eval(cell) * evaluation(cell, teacher) + test
    length, schedule = cell.config.task.max_length, Schedule.of(config, cell.splits.train)
    per_token = training(teacher, cell.config.model.teacher_lora, config)
    per_example = evaluation(cell, teacher) + 2 * teacher.used * length
    return (
        _num_examples(schedule, config) * length * per_token
        + _num_evaluations(schedule) * _num_eval(cell) * per_example
        + test
    )


def evaluation(cell: CellSizes, model: ModelSize) -> float:
    """Operations per example."""
    return 2.0 * model.used * KINDS[cell.config.task.kind].tokens_per_answer(cell.config.task)


def hours(operations: float, tflops: float | None) -> float:
    """GPU hours."""
    return operations / ((tflops or TFLOPS) * 1e12 * 3600)


@dataclass(frozen=True)
class StorageCost:
    """The bytes of a sweep's storage, by what they hold."""

    teachers: int
    students: int
    """The students that are kept."""
    angles: int
    others: int
    """The students that are removed at the end of the sweep."""
    checkpoint: int
    """The largest checkpoint of a running trial."""


def storage(groups: Sequence[Sequence[CellSizes]], keep: Literal["best", "all", "none"]) -> StorageCost:
    """The storage of a sweep. Each group holds the cells of one teacher; of each group, `best` keeps one student.

    Which student will be the best is not known, so the largest one is counted.
    """
    cells = [cell for group in groups for cell in group]
    teachers = [group[0] for group in groups if group[0].config.model.finetune is not None]
    bytes_of = {id(cell): student_size(cell).total * WEIGHT for cell in distinct(cells)}
    angles_of = {id(cell): _angles(cell) for cell in distinct(cells)}
    student_bytes = [[bytes_of[id(cell)] for cell in group] for group in groups]
    kept_bytes = {"best": sum(map(max, student_bytes)), "all": sum(map(sum, student_bytes)), "none": 0}[keep]
    return StorageCost(
        teachers=sum(teacher_size(cell).total * WEIGHT for cell in teachers),
        students=kept_bytes,
        angles=sum(angles_of[id(cell)] for cell in cells),
        others=sum(map(sum, student_bytes)) - kept_bytes,
        checkpoint=max([*map(_checkpoint, distinct(cells)), *map(_teacher_checkpoint, teachers)]),
    )


def show(checked: Checked, plan: Plan, console: Console) -> None:
    """Shows GPU hours of the cells and teachers that are not done, GPU memory per model and task, and storage."""
    sizes = checked.sizes()
    open_cells = [cell for key, cell in sizes.items() if plan.cell_states[key] != "done"]
    groups: dict[str, list[CellSizes]] = {}
    for key, cell in sizes.items():
        groups.setdefault(plan.cells[key].teacher_hash, []).append(cell)
    open_teachers = [group[0] for key, group in groups.items() if plan.teacher_states[key] != "done"]
    resources = checked.config.resources
    if resources.gpus and sizes:
        trials = [(sizes[key], number) for key, number in plan.trials.items() if key in sizes]
        console.print(Text(_hours(open_cells, open_teachers, trials, resources)), soft_wrap=True)
        note = "" if resources.gpu_gb else "; resources.gpu_gb is not given, so a plan refuses nothing"
        each = ", per GPU" if resources.gpus > 1 else ""
        console.print(Text(f"GPU memory of a trial{each}, at most{note}:"), soft_wrap=True)
        for need in needs(sizes.values(), resources.gpus):
            console.print(Text(f"  {need.what} {need}"), soft_wrap=True)
    if sizes:
        console.print(Text(_storage(storage(list(groups.values()), checked.config.keep))), soft_wrap=True)
    if unknown := sorted({cell.config.model.family for key, cell in plan.cells.items() if key not in sizes}):
        console.print(Text(f"without {', '.join(unknown)}: the family does not say what its parameters are"))


def _hours(
    cells: Iterable[CellSizes],
    teachers: Iterable[CellSizes],
    trials: Iterable[tuple[CellSizes, int]],
    resources: Resources,
) -> str:
    tflops = resources.gpu_tflops
    of_cells = sum(number * hours(cell_operations(cell), tflops) for cell, number in counted(cells))
    of_teachers = sum(hours(teacher_operations(cell), tflops) for cell in teachers)
    of_candidates = sum(number * hours(cell_operations(cell), tflops) for cell, number in trials)
    costs = {"teachers": of_teachers, "candidates": of_candidates, "cells": of_cells}
    total = _number(sum(costs.values()))
    parts = ", ".join(f"{name} {_number(cost)}" for name, cost in costs.items() if cost or name != "candidates")
    rate = f"{tflops:g}" if tflops else f"{TFLOPS:g}, 40% of an A100's"
    return f"GPU hours: about {total} at most ({parts}; TFLOPs: {rate})"


def _storage(cost: StorageCost) -> str:
    parts = {"teachers": cost.teachers, "students": cost.students, "angles": cost.angles}
    shown = ", ".join(f"{name} {_gb(size)}" for name, size in parts.items() if size)
    more = f"{_gb(cost.others)} more for students, and up to {_gb(cost.checkpoint)} per running trial"
    return f"storage: about {_gb(sum(parts.values()))} GB ({shown}); while the sweep runs, {more}"


def _num_examples(schedule: Schedule, config: TrainConfig) -> int:
    return schedule.num_steps * config.batch_size * config.accumulation


def _num_evaluations(schedule: Schedule) -> int:
    return -(-schedule.num_steps // schedule.evaluate_every)


def _num_eval(cell: CellSizes) -> int:
    return min(cell.config.task.num_eval or cell.splits.validation, cell.splits.validation)


def _angles(cell: CellSizes) -> int:
    """The bytes of angles.npz before compression."""
    num_measured = 1 + _num_evaluations(Schedule.of(cell.config.train, cell.splits.train))
    num_student = cell.config.model.student_blocks + 1
    pairs = sum(num_student * (depth + 1) ** 2 for depth in cell.family.num_blocks(cell.shape).values())
    return pairs * (num_measured * PAIR_BYTES + 2 * NUM_BINS * BIN_BYTES)


def _checkpoint(cell: CellSizes) -> int:
    """The bytes of the weights and of the optimizer's state."""
    parts = memory.of_trial(cell.config, cell.family, cell.shape, cell.head)
    return parts["student"] + parts["optimizer"]


def _teacher_checkpoint(cell: CellSizes) -> int:
    parts = memory.of_teacher(cell.config, cell.family, cell.shape, cell.head)
    return parts["teacher"] + parts["optimizer"]


def _gb(size: float) -> str:
    return _number(size / GB)


def _number(value: float) -> str:
    """The value with two significant digits: `0.013`, `4.7`, `120`."""
    return f"{float(f'{value:.2g}'):.10g}"
