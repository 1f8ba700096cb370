"""How far a number of optimiser steps goes through the training split, in words."""

from __future__ import annotations

from collections.abc import Sequence

from trainables.config import TrialConfig
from trainables.steps import Schedule


def epochs(config: TrialConfig, num_steps: int, evaluated: Sequence[int]) -> str:
    """`80 steps are 0.5 epochs`; `evaluated` are the steps with an evaluation, which tell how long an epoch is."""
    train = config.train
    if train.max_steps is None:
        return _words(num_steps, train.epochs)
    if config.task.generated:
        return _words(num_steps, num_steps / Schedule.of(train, config.task.generated.train).steps_per_epoch)
    if train.evaluate_every is None:  # evaluations are an epoch apart, or less in a short training
        return f"{num_steps} steps are at most {_epochs(num_steps / evaluated[0] if evaluated else 1)}"
    if len(evaluated) > 1:
        return _words(num_steps, num_steps * train.evaluate_every / evaluated[0])
    return f"{num_steps} steps are at most {_epochs(train.evaluate_every)}"


def _words(num_steps: int, num_epochs: float) -> str:
    return f"{num_steps} steps are {_epochs(num_epochs)}"


def _epochs(number: float) -> str:
    text = f"{number:.2g}" if number < 10 else f"{number:.0f}"
    return "1 epoch" if text == "1" else f"{text} epochs"
