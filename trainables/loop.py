"""Training in lockstep: models that see the same batches in the same order take each step together.

Each batch is collated, moved to the device and run through the teacher once; then every model learns from it with its
own random stream, exactly as alone. A single model is a cohort of one. Every loss term is divided by the totals of the
whole accumulated batch, not of the micro-batch, so that accumulation changes the memory but not the gradient.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from trainables import device as devices
from trainables import pulse
from trainables.clock import Clock, Pause
from trainables.config import TrainConfig
from trainables.errors import NotFinite
from trainables.learner import Learner
from trainables.metrics import summed
from trainables.parts import split
from trainables.steps import Schedule
from trainables.targets import Copies, Targets
from trainables.tasks.batches import collate, epoch_order
from trainables.tasks.codec import Example
from trainables.validation import Validation

logger = logging.getLogger(__name__)


def accumulated(
    lengths: list[int], config: TrainConfig, seed: int, *, at_random: bool = False, done: int = 0
) -> Iterator[list[list[int]]]:
    """Endless optimiser steps, each a list of micro-batches of example indices; a function of the seed alone.

    `at_random`: as in `epoch_order`. `done`: the number of steps to skip, over all epochs.
    """
    epoch, steps = divmod(done, Schedule.of(config, len(lengths)).steps_per_epoch)
    first = steps * config.accumulation
    while True:
        order = epoch_order(lengths, config.batch_size, seed, epoch, at_random=at_random)
        for start in range(first, len(order), config.accumulation):
            yield order[start : start + config.accumulation]
        epoch, first = epoch + 1, 0


@dataclass
class Lockstep:
    """The training of models that share batches, steps and evaluations."""

    learners: Sequence[Learner]
    config: TrainConfig
    """The config of any model: all agree in the fields that are used here (trainables/sharing.py)."""
    seed: int
    examples: Sequence[Example]
    pad_id: int
    device: torch.device
    dtype: devices.Dtype
    targets: Targets | None
    """The outputs of the teacher; None: the models have no teacher."""
    validation: Validation
    clock: Clock
    batches_at_random: bool = False
    """Whether batches are drawn at random instead of from examples of similar length."""
    num_parts: int = 1
    """The parts in which each micro-batch is computed."""

    def __post_init__(self) -> None:
        self.schedule = Schedule.of(self.config, len(self.examples))
        self._logged, self._num_seen = time.monotonic(), 0

    @property
    def live(self) -> list[Learner]:
        """The models without an error whose patience is not over."""
        return [learner for learner in self.learners if learner.error is None and not learner.is_over]

    def run(self) -> None:
        """Trains all models to the last step, from the step that they have all reached.

        A model that fails gets an `error`, and the others continue.
        """
        (done,) = {learner.step for learner in self.learners}
        logger.info("training begins: %d steps, of which %d are done", self.schedule.num_steps, done)
        lengths = [len(example["input_ids"]) for example in self.examples]
        batches = accumulated(lengths, self.config, self.seed, at_random=self.batches_at_random, done=done)
        self._logged = time.monotonic()
        pause = Pause(60 * self.config.checkpoint_minutes)
        for step in range(done + 1, self.schedule.num_steps + 1):
            if not self.live:
                return
            self._step(step, next(batches))
            if self.schedule.logs(step):
                self._log(step)
            if self.schedule.evaluates(step):
                self._evaluate(step)
            if pause.is_over():
                with pause.spending():
                    self._save(step)

    def _step(self, step: int, indices: list[list[int]]) -> None:
        micros = [part for micro in indices for part in split(micro, self.config.batch_size, self.num_parts)]
        batches = [collate([self.examples[i] for i in micro], self.pad_id) for micro in micros]
        totals = summed([self.live[0].objective.totals(batch) for batch in batches])
        for batch in batches:
            pulse.beat()
            moved = devices.move(batch, self.device)
            with devices.autocast(self.device, self.dtype):
                wanted = self.targets(moved, training=True) if self.targets else None
            copies = Copies(moved, wanted, self.device)
            for learner in self.live:
                learner.learn(*copies.on(learner.device), totals)
        for learner in self.live:
            learner.update(step)
        self._num_seen += sum(map(len, indices))

    def _log(self, step: int) -> None:
        """Reports the losses of a step, and the examples per second that each model has seen since the last report."""
        rate = self._num_seen / max(time.monotonic() - self._logged, 1e-9)
        for learner in self.live:
            with leaving(learner):
                learner.report(step, {**learner.read(), "train/examples_per_second": rate})
        self._share(self.live)
        self._logged, self._num_seen = time.monotonic(), 0

    def _evaluate(self, step: int) -> None:
        logger.info("evaluation at step %d begins", step)
        self._check()
        live = self.live
        self._share(live)
        for learner in live:
            learner.module.eval()
        passes = self.validation.run([learner.objective for learner in live])
        for learner, done in zip(live, passes, strict=True):
            with leaving(learner):
                learner.judge(step, self.validation.measures(learner.objective, done))
        self._share(live, is_eval=True)
        self._logged = time.monotonic()

    def _save(self, step: int) -> None:
        self._check()
        for learner in self.live:
            with leaving(learner):
                learner.checkpoint(step)
        logger.info("checkpoint at step %d is written", step)

    def _check(self) -> None:
        """Removes the models that are not finite."""
        for learner in self.live:
            with leaving(learner):
                learner.read()

    def _share(self, learners: Sequence[Learner], *, is_eval: bool = False) -> None:
        """Charges the time since the last call, and the teacher's part of it, to these models."""
        self.clock.stretch([learner.seconds for learner in learners], is_eval=is_eval)
        teaching = self.targets.watch.read() if self.targets else 0.0
        for learner in learners:
            learner.seconds.targets += teaching / len(learners)


@contextmanager
def leaving(learner: Learner) -> Generator[None]:
    """Removes a model that is not finite, or whose metric or checkpoint is refused, so that the others continue."""
    try:
        yield
    except (NotFinite, ValueError) as error:
        learner.leave(error)
