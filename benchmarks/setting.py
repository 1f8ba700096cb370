"""A teacher and its student of one of the paper's shapes, from random weights, made on the device itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import transformers
from torch import nn
from transformers import PreTrainedModel

from benchmarks.clock import clock
from benchmarks.shapes import Shape
from trainables import device as devices
from trainables import frozen, official, student
from trainables.cell import map_stacks
from trainables.clock import Clock
from trainables.config import TrainConfig, TrialConfig
from trainables.draws import Draws
from trainables.families import Family, adapters
from trainables.learner import Learner
from trainables.loop import Lockstep
from trainables.metrics import Metrics, Report
from trainables.objective import Distillation, FromLabels, Objective
from trainables.seeds import stream
from trainables.student import Student
from trainables.targets import Targets
from trainables.tasks.codec import Example

PAD_ID = 0
NEVER = 1e9


@dataclass(frozen=True)
class Trainable:
    """A module ready to be trained."""

    config: TrialConfig
    recipe: TrainConfig
    """How it is trained: the student's recipe, or the teacher's."""
    device: torch.device
    family: Family
    module: nn.Module
    objective: Objective
    examples: list[Example]
    targets: Targets | None
    """The teacher, where there is one."""

    @property
    def dtype(self) -> devices.Dtype:
        assert self.config.dtype != "auto"
        return self.config.dtype


@dataclass(frozen=True)
class Setting(Trainable):
    """A student ready to be trained under its teacher."""

    module: Student
    objective: Distillation
    teacher: PreTrainedModel


def start() -> torch.device:
    """The device, in the state in which a trial of this project starts."""
    return devices.start_clean(torch.get_num_threads(), stream(0, "start"))


def teacher_of(shape: Shape, device: torch.device) -> PreTrainedModel:
    """The teacher with random weights, in fp32 and eval mode."""
    family, head = shape.of(), shape.head()
    fields = {**family.scratch_fields, **shape.teacher, **family.fixed_fields, "pad_token_id": PAD_ID}
    labels = {"num_labels": head.num_outputs} if head.has_labels else {}
    config_class: Any = getattr(transformers, family.config_class)
    with torch.device(device):
        model: PreTrainedModel = getattr(transformers, family.models[head.name].name)(config_class(**fields, **labels))
    return model.eval()


def make(shape: Shape, dtype: devices.Dtype, *, num_examples: int, full: bool = False, **train: Any) -> Setting:
    """The setting as a trial makes it; `train` overrides the recipe. `full`: every text is as long as it may be."""
    device, config, family = start(), shape.config(dtype, **train), shape.of()
    model = teacher_of(shape, device)
    with torch.device(device):
        small = student.build(family, model, config.model, config.init, config.seed)
    if config.train.freeze_embeddings:
        student.freeze_embeddings(family, small.model)
    if config.train.gradient_checkpointing:
        student.checkpoint_blocks(small.model, "train")
    frozen.hold(small.model, dtype)
    frozen.hold(model.requires_grad_(False), dtype)
    mappings = map_stacks(config, family, family.num_blocks(model.config.to_dict()))
    quirks = official.quirks(family.name, config.losses)
    objective = Distillation(family, shape.head(), small, mappings, config.losses, quirks)
    mapped = {stack: set(mapping.values()) for stack, mapping in mappings.items()}
    targets = Targets(family, model, mapped, quirks.last_state_normed)
    examples = shape.examples(num_examples, full=full)
    return Setting(config, config.train, device, family, small, objective, examples, targets, model)


def make_teacher(shape: Shape, dtype: devices.Dtype, *, num_examples: int) -> Trainable:
    """A teacher as the trial that makes it has it, beside no student; every text is as long as it may be."""
    device, config, family = start(), shape.config(dtype), shape.of()
    model, recipe = teacher_of(shape, device).requires_grad_(True), config.model.finetune
    assert recipe is not None
    if config.model.teacher_lora:
        with torch.device(device):
            adapters.add(family, model, config.model.teacher_lora, "model.lora.teacher", recipe.seed)
    frozen.hold(model, dtype)
    if recipe.gradient_checkpointing:
        student.checkpoint_blocks(model, "model.finetune")
    objective = FromLabels(family, shape.head(), model)
    return Trainable(config, recipe, device, family, model, objective, shape.examples(num_examples, full=True), None)


def _learner(
    trained: Trainable, config: TrainConfig, objective: Objective, module: nn.Module, report: Report
) -> Learner:
    return Learner(
        config=config,
        num_steps=199,
        objective=objective,
        module=module,
        draws=Draws(stream(trained.config.seed, "dropout"), trained.device),
        device=trained.device,
        dtype=trained.dtype,
        report=report,
        evaluated=lambda step, measures: 0.0,
        save_best=lambda: None,
        checkpoint=lambda step: None,
    )


class _Enough(Exception):
    """Ends a training that has taken as many steps as are timed."""


def train(
    trained: Trainable,
    num_steps: int,
    each: Callable[[int, Metrics], None] = lambda step, metrics: None,
    others: Sequence[Student] = (),
) -> list[float]:
    """Takes steps with the project's own loop, at most 199; the time at the end of each, in seconds.

    `each` is told what was measured at a step. Nothing is evaluated or saved. `others`: further students of the cohort.
    """
    ends: list[float] = []

    def report(step: int, metrics: Metrics) -> None:
        ends.append(clock(trained.device))
        each(step, metrics)
        if step == num_steps:
            raise _Enough

    never = {"max_steps": 199, "evaluate_every": NEVER, "checkpoint_minutes": NEVER}
    config = trained.recipe.model_copy(update=never)
    learners = [_learner(trained, config, trained.objective, trained.module, report)]
    for other in others:
        assert isinstance(trained.objective, Distillation)
        objective = replace(trained.objective, student=other)
        learners.append(_learner(trained, config, objective, other, lambda step, metrics: None))
    unused: Any = None
    training = Lockstep(
        learners=learners,
        config=config,
        seed=trained.config.seed,
        examples=trained.examples,
        pad_id=PAD_ID,
        device=trained.device,
        dtype=trained.dtype,
        targets=trained.targets,
        validation=unused,
        clock=Clock(),
    )
    try:
        training.run()
    except _Enough:
        return ends
    raise AssertionError("a training ends with its report of the last step")
