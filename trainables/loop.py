"""The training loop that teachers and students share: steps, accumulation, clipping, evaluation, checkpoints.

Every loss term is divided by the totals of the whole accumulated batch, never by those of a micro-batch, so
that accumulation changes memory and not the gradient.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from trainables import device as devices
from trainables import optimizers
from trainables.config import TrainConfig
from trainables.errors import NotFinite
from trainables.seeds import stream
from trainables.steps import Schedule
from trainables.tasks.batches import collate, epoch_order
from trainables.tasks.codec import Example

logger = logging.getLogger(__name__)

Batch = dict[str, Tensor]
Metrics = dict[str, float]
Report = Callable[[int, Metrics], None]
"""Takes an optimiser step and what was measured at it."""


class Objective(Protocol):
    """What is minimised."""

    def terms(self, batch: Batch, totals: Metrics) -> dict[str, Tensor]:
        """`loss` and its parts for one micro-batch, each divided by the totals of the accumulated batch."""
        ...

    def totals(self, batch: Batch) -> Metrics:
        """What the terms of this micro-batch are sums over: labels, real tokens of each stack."""
        ...


def learning_rate_factor(step: int, warmup_steps: int, num_steps: int) -> float:
    """Linear warm-up to 1 over `warmup_steps`, then linear decay to 0 at the end; `step` counts from 0."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    return max(0.0, (num_steps - step) / max(1, num_steps - warmup_steps))


def accumulated(
    lengths: list[int], config: TrainConfig, seed: int, *, at_random: bool = False
) -> Iterator[list[list[int]]]:
    """For each optimiser step, without end, its micro-batches as example indices; a function of the seed alone.

    `at_random`: as in `epoch_order`.
    """
    epoch = 0
    while True:
        order = epoch_order(lengths, config.batch_size, seed, epoch, at_random=at_random)
        for start in range(0, len(order), config.accumulation):
            yield order[start : start + config.accumulation]
        epoch += 1


@dataclass
class Training:
    """One model being trained on one set of examples."""

    config: TrainConfig
    seed: int
    module: nn.Module
    objective: Objective
    examples: list[Example]
    pad_id: int
    device: torch.device
    dtype: devices.Dtype
    report: Report
    evaluate: Callable[[int], float]
    """Measures and reports at a step; gives the main metric, where more is better."""
    save_best: Callable[[], None]
    checkpoint: Path
    """The last state, written every `checkpoint_minutes` until the end, where nothing is left to go on with."""
    own_rates: Mapping[str, float] = field(default_factory=dict)
    """Start of a parameter's name -> a learning rate of its own, under the same warm-up and decay."""
    batches_at_random: bool = False
    """Whether batches are drawn whatever the lengths of their examples, not of like length."""

    def __post_init__(self) -> None:
        self.schedule = Schedule.of(self.config, len(self.examples))
        self.parameters = [p for p in self.module.parameters() if p.requires_grad]
        groups = optimizers.groups(self.module.named_parameters(), self.own_rates)
        self.optimizer = optimizers.make(groups, self.config)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: learning_rate_factor(step, self.config.warmup_steps, self.schedule.num_steps),
        )
        self.best_step, self.best = 0, -math.inf

    def run(self) -> None:
        """Trains to the end. Raises NotFinite, with the step and the terms, where a loss is not a number."""
        logger.info("training begins: %d steps", self.schedule.num_steps)
        torch.manual_seed(stream(self.seed, "dropout"))
        lengths = [len(example["input_ids"]) for example in self.examples]
        batches = accumulated(lengths, self.config, self.seed, at_random=self.batches_at_random)
        saved, logged, num_seen = time.monotonic(), time.monotonic(), 0
        for step in range(1, self.schedule.num_steps + 1):
            indices = next(batches)
            measured = self._step(step, indices)
            num_seen += sum(map(len, indices))
            if self.schedule.logs(step):
                now = time.monotonic()
                measured["train/examples_per_second"] = num_seen / max(now - logged, 1e-9)
                self.report(step, measured)
                logged, num_seen = now, 0
            if self.schedule.evaluates(step):
                self._evaluate(step)
                logged = time.monotonic()
            is_due = time.monotonic() - saved > 60 * self.config.checkpoint_minutes
            if is_due and step < self.schedule.num_steps:
                self._save(step)
                saved = time.monotonic()

    def _step(self, step: int, indices: list[list[int]]) -> Metrics:
        self.module.train()
        batches = [collate([self.examples[i] for i in micro], self.pad_id) for micro in indices]
        totals = summed([self.objective.totals(batch) for batch in batches])
        parts: list[Metrics] = []
        for batch in batches:
            with devices.autocast(self.device, self.dtype):
                terms = self.objective.terms(devices.move(batch, self.device), totals)
            terms["loss"].backward()
            parts.append({name: term.item() for name, term in terms.items()})
        values = summed(parts)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm).item()
        check_finite(step, {**values, "grad_norm": norm})
        learning_rate = self.scheduler.get_last_lr()[0]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.scheduler.step()
        losses = {f"train/{name}": value for name, value in values.items()}
        return {**losses, "train/lr": float(learning_rate), "train/grad_norm": norm}

    def _evaluate(self, step: int) -> None:
        logger.info("evaluation at step %d begins", step)
        self.module.eval()
        value = self.evaluate(step)
        if self.best_step == 0 or value > self.best:
            self.best_step, self.best = step, value
            self.save_best()

    def _save(self, step: int) -> None:
        state = {
            "step": step,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": torch.get_rng_state(),
            "best_step": self.best_step,
            "best": self.best,
        }
        torch.save(state, self.checkpoint)
        logger.info("checkpoint at step %d is written", step)


def check_finite(step: int, values: Metrics) -> None:
    """Raises NotFinite, with the step and all values, where one of them is not."""
    if not all(map(math.isfinite, values.values())):
        raise NotFinite(f"not finite at step {step}: {shown(values)}")


def shown(values: Metrics) -> str:
    """`loss 0.5, loss_ce 0.25`"""
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def summed(parts: list[Metrics]) -> Metrics:
    """The sum of each value over the parts."""
    return {name: sum(part[name] for part in parts) for name in parts[0]}


def measure(
    objective: Objective, examples: Sequence[Example], pad_id: int, batch_size: int, device: torch.device
) -> Metrics:
    """The terms of an objective over a whole split; its module must be in eval mode."""
    starts = range(0, len(examples), batch_size)
    batches = [collate(examples[start : start + batch_size], pad_id) for start in starts]
    totals = summed([objective.totals(batch) for batch in batches])
    with torch.no_grad():
        parts = [objective.terms(devices.move(batch, device), totals) for batch in batches]
    return summed([{name: float(term) for name, term in part.items()} for part in parts])
