"""The number of optimiser steps of a run, and when it evaluates and logs. It needs no torch, for use in a plan."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainables.config import TrainConfig

NUM_EVALUATIONS = 5
"""The least number of evaluations of a training whose config does not say how often it is evaluated."""


@dataclass(frozen=True)
class Schedule:
    """The optimiser steps of a run."""

    num_steps: int
    steps_per_epoch: int
    evaluate_every: int
    log_every: int

    @classmethod
    def of(cls, config: TrainConfig, num_examples: int) -> Schedule:
        """The schedule of a config; an epoch's last accumulated batch may be smaller than the others."""
        per_epoch = math.ceil(math.ceil(num_examples / config.batch_size) / config.accumulation)
        num_steps = config.max_steps or max(1, round(config.epochs * per_epoch))
        if config.evaluate_every is None:
            evaluate_every = min(per_epoch, num_steps // NUM_EVALUATIONS)
        else:
            evaluate_every = round(config.evaluate_every * per_epoch)
        return cls(num_steps, per_epoch, max(1, evaluate_every), log_every=max(1, num_steps // 100))

    def evaluates(self, step: int) -> bool:
        return step % self.evaluate_every == 0 or step == self.num_steps

    def logs(self, step: int) -> bool:
        return step % self.log_every == 0 or step in (1, self.num_steps)
