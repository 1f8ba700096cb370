"""Seconds of a repeated piece of work, and the arithmetic in it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.clock import clock
from benchmarks.setting import Trainable, train
from trainables.metrics import Metrics

WARM_UP = 5
"""Steps that are not timed: kernels are loaded, and the allocator learns its sizes."""
PEAK_SIZE = 8192


def seconds(work: Callable[[], Any], device: torch.device, number: int, warm_up: int = 3) -> float:
    """The mean time of `work`, run `number` times in a row after some that are not timed."""
    for _ in range(warm_up):
        work()
    started = clock(device)
    for _ in range(number):
        work()
    return (clock(device) - started) / number


def per_step(ends: Sequence[float], warm_up: int = WARM_UP) -> dict[str, float]:
    """Milliseconds of a step from the times at which steps ended: the mean, and the median beside it."""
    steps = [after - before for before, after in zip(ends[warm_up - 1 :], ends[warm_up:], strict=False)]
    return {"ms_per_step": 1000 * statistics.mean(steps), "ms_per_step_median": 1000 * statistics.median(steps)}


def matmul_peak(device: torch.device, dtype: torch.dtype, *, dry: bool) -> float:
    """FLOP/s of a square matrix product of random numbers: the card's own peak, as far as a program reaches it."""
    size = 64 if dry else PEAK_SIZE
    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / seconds(lambda: one @ other, device, number=20)


def flops_per_step(trained: Trainable, num_steps: int, warm_up: int = WARM_UP) -> float:
    """Floating-point operations in matrix products and attention of a step, the mean over those that are timed.

    What gradient checkpointing computes again is counted again.
    """
    counts: list[int] = []
    counter = FlopCounterMode(display=False)

    def count(_step: int, _metrics: Metrics) -> None:
        counts.append(counter.get_total_flops())

    with counter:
        train(trained, num_steps, count)
    return (counts[-1] - counts[warm_up - 1]) / (num_steps - warm_up)
