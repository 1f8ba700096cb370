"""Several students under one pass of the teacher a batch, in lockstep, each with a random state of its own."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.alone import NUM_EXAMPLES, STEPS
from benchmarks.run import Measured, Run
from benchmarks.setting import PAD_ID, Setting, make
from benchmarks.shapes import shapes
from benchmarks.timing import per_step
from trainables import optimizers
from trainables.device import autocast, clock, move
from trainables.families.base import Outputs
from trainables.loop import Batch, accumulated, summed
from trainables.objective import Distillation
from trainables.seeds import stream
from trainables.student import Student
from trainables.targets import LiveTargets
from trainables.tasks.batches import collate

NUMBERS = {"bert-base": (1, 5, 10), "t5-base": (5,), "bart-large": (5,), "qwen3-8b": (1, 5)}


@dataclass
class SharedTargets(LiveTargets):
    """Computes a batch once, for whoever asks first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.batch: Batch = {}
        self.outputs: Outputs | None = None

    def __call__(self, batch: dict[str, Tensor], *, final_norm: bool = False, dropout: bool = False) -> Outputs:
        if self.batch is not batch or self.outputs is None:
            self.outputs = super().__call__(batch, final_norm=final_norm, dropout=dropout)
            self.batch = batch
        return self.outputs


def copied(student: Student) -> Student:
    """Another student with the same weights, of which it holds those of its own that are trained."""
    frozen: dict[int, Any] = {id(each): each for each in student.parameters() if not each.requires_grad}
    return copy.deepcopy(student, frozen)


class Member:
    """A student of the cohort with its optimiser and its random state."""

    def __init__(self, setting: Setting, student: Student, targets: LiveTargets, number: int) -> None:
        self.objective: Distillation = replace(setting.objective, student=student, targets=targets)
        self.student = student.train()
        self.parameters = [each for each in student.parameters() if each.requires_grad]
        groups = optimizers.groups(student.named_parameters(), {})
        self.optimizer = optimizers.make(groups, setting.recipe)
        self.is_on_gpu = setting.device.type == "cuda"
        torch.manual_seed(stream(number, "dropout"))
        self.state = self._random_state()

    def _random_state(self) -> Tensor:
        return torch.cuda.get_rng_state() if self.is_on_gpu else torch.get_rng_state()

    def learn(self, setting: Setting, batch: Batch, totals: dict[str, float]) -> Tensor:
        """Adds the gradient of a micro-batch; its loss, still on the device."""
        (torch.cuda.set_rng_state if self.is_on_gpu else torch.set_rng_state)(self.state)
        with autocast(setting.device, setting.dtype):
            loss = self.objective.terms(batch, totals)["loss"]
        loss.backward()
        self.state = self._random_state()
        return loss.detach()

    def update(self, clip_norm: float) -> Tensor:
        """Takes the optimiser's step; the norm of the gradient, still on the device."""
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm


class Cohort:
    """Students that step together."""

    def __init__(self, setting: Setting, number: int) -> None:
        self.setting = setting
        self.targets = SharedTargets(setting.family, setting.teacher)
        students = [setting.module, *(copied(setting.module) for _ in range(number - 1))]
        self.members = [Member(setting, student, self.targets, index) for index, student in enumerate(students)]

    def step(self, indices: list[list[int]]) -> list[float]:
        """One optimiser step of each member on these micro-batches; the losses and norms, read at once."""
        setting = self.setting
        batches = [collate([setting.examples[i] for i in micro], PAD_ID) for micro in indices]
        totals = summed([setting.objective.totals(batch) for batch in batches])
        seen: list[Tensor] = []
        for batch in batches:
            on_device = move(batch, setting.device)
            seen += [member.learn(setting, on_device, totals) for member in self.members]
        seen += [member.update(setting.recipe.clip_norm) for member in self.members]
        return torch.stack(seen).tolist()


def lockstep(run: Run) -> Measured:
    """Step times of cohorts, in bf16, and how many times as fast as one cell after another they are."""
    for name, numbers in NUMBERS.items():
        num_steps = 7 if run.dry else min(STEPS[name], 30)
        for number in numbers:
            setting = make(shapes(dry=run.dry)[name], "bf16", num_examples=NUM_EXAMPLES)
            if setting.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            cohort = Cohort(setting, number)
            order = accumulated([len(each["input_ids"]) for each in setting.examples], setting.recipe, 0)
            ends: list[float] = []
            for _, indices in zip(range(num_steps), order, strict=False):
                cohort.step(indices)
                ends.append(clock(setting.device))
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
