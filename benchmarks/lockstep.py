"""Several students under one pass of the teacher for each batch, in lockstep, by the project's own loop."""

from __future__ import annotations

import copy
from typing import Any

import torch

from benchmarks.alone import NUM_EXAMPLES, STEPS
from benchmarks.run import Measured, Run
from benchmarks.setting import make, train
from benchmarks.shapes import shapes
from benchmarks.timing import per_step
from trainables.student import Student

NUMBERS = {"bert-base": (1, 5, 10), "t5-base": (5,), "bart-large": (5,), "qwen3-8b": (1, 5)}


def copied(student: Student) -> Student:
    """Another student with the same weights, of which it holds those of its own that are trained."""
    frozen: dict[int, Any] = {id(each): each for each in student.parameters() if not each.requires_grad}
    return copy.deepcopy(student, frozen)


def lockstep(run: Run) -> Measured:
    """Step times of cohorts, in bf16, and how many times as fast as one cell after another they are."""
    for name, numbers in NUMBERS.items():
        num_steps = 7 if run.dry else min(STEPS[name], 30)
        for number in numbers:
            setting = make(shapes(dry=run.dry)[name], "bf16", num_examples=NUM_EXAMPLES)
            if setting.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            ends = train(setting, num_steps, others=[copied(setting.module) for _ in range(number - 1)])
            yield f"{name} {number}", against_alone(run, name, number, per_step(ends))


def against_alone(run: Run, name: str, number: int, timed: dict[str, float]) -> dict[str, Any]:
    """A cohort's figures behind its speed against cells alone and against the Trainer, one after another."""
    speeds: dict[str, float] = {}
    for rival, section, key in (("alone", "alone", f"{name} bf16"), ("trainer", "trainer", name)):
        step = run.results().get(section, {}).get(key, {}).get("ms_per_step")
        if step:
            speeds[f"speed_against_{rival}"] = number * step / timed["ms_per_step"]
    memory = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0.0
    return {**speeds, **timed, "ms_per_cell_and_step": timed["ms_per_step"] / number, "peak_gb": memory}
