"""Checks that trials fit into the memory of their GPU, by trainables/memory.py; for each that does not, what helps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sweep.plan.checks.sizes import CellSizes, distinct
from sweep.spec.sweep import Resources
from trainables import memory
from trainables.errors import Problem

GB = 10**9
_SMALLEST_SHOWN = GB // 20
_LARGE = 0.1
"""The share of the total above which advice is given for a part."""

_HELP = {
    "gradients": "model.lora.{lora}",
    "optimizer": "{train}.optimizer: adafactor",
    "activations": "{train}.gradient_checkpointing: true, or a smaller {train}.batch_size with accumulation",
    "logits": "a smaller {train}.batch_size with accumulation",
    "states": "a smaller {train}.batch_size with accumulation",
}


@dataclass(frozen=True)
class Need:
    """The peak memory of a GPU of a trial of one model and task, or of its teacher's training."""

    what: str
    is_teacher: bool
    parts: memory.Bytes

    @property
    def total(self) -> int:
        return sum(self.parts.values())

    def __str__(self) -> str:
        """`59.6 GB: teacher 32.8, student 12.3, …`"""
        shown = {name: size for name, size in self.parts.items() if size >= _SMALLEST_SHOWN}
        return f"{self.total / GB:.1f} GB: {', '.join(f'{name} {size / GB:.1f}' for name, size in shown.items())}"


def needs(cells: Iterable[CellSizes], gpus: float) -> list[Need]:
    """Per model and task, the largest need of a trial, and that of the teacher if it is trained.

    Trials with several `gpus` have two needs: that of a GPU with a student, and that of the GPU with the teacher.
    """
    most: dict[tuple[str, bool], Need] = {}
    for cell in distinct(cells):
        model, task = cell.config.model, cell.config.task
        sizes = (cell.config, cell.family, cell.shape, cell.head)
        what, trial = f"{model.name} on {task.name}", memory.of_trial(*sizes)
        if gpus < 2:
            cell_needs = [Need(what, is_teacher=False, parts=trial)]
        else:
            teacher = Need(f"ready teacher of {what}", is_teacher=True, parts=memory.of_teachers_gpu(*sizes))
            cell_needs = [teacher, Need(what, is_teacher=False, parts=memory.without_teacher(trial))]
        if model.finetune is not None:
            teacher = Need(f"teacher of {what}", is_teacher=True, parts=memory.of_teacher(*sizes))
            cell_needs.insert(0, teacher)
        for each in cell_needs:
            key = (each.what, each.is_teacher)
            most[key] = max(most.get(key, each), each, key=lambda need: need.total)
    return list(most.values())


def room(resources: Resources) -> float | None:
    """The bytes of memory of each GPU of a trial, or of its fraction of one; None if the memory is not known."""
    if resources.gpu_gb is None or not resources.gpus:
        return None
    return min(1.0, resources.gpus) * resources.gpu_gb * GB


def memory_problems(cells: Iterable[CellSizes], resources: Resources, given: str = "") -> list[Problem]:
    """One problem per model and task, or teacher, that does not fit; `given` says whose memory it is."""
    has = room(resources)
    if has is None:
        return []
    most = needs(cells, resources.gpus)
    return [_problem(need, f"{given} {has / GB:g}".lstrip(), resources) for need in most if need.total > has]


def _problem(need: Need, has: str, resources: Resources) -> Problem:
    share = f" on {resources.gpus:g} of a GPU" if resources.gpus < 1 else ""
    lora, train = ("teacher", "model.finetune") if need.is_teacher else ("student", "train")
    helps = [
        _HELP[name].format(lora=lora, train=train)
        for name, size in sorted(need.parts.items(), key=lambda part: -part[1])
        if name in _HELP and size > _LARGE * need.total
    ]
    what = f"{need.what} needs {need}"
    advice = "; or ".join([*dict.fromkeys(helps), f"a GPU of {need.total / GB:.0f} GB"])
    return Problem("resources.gpu_gb", f"got {has}{share}; {what}. What would help: {advice}")
