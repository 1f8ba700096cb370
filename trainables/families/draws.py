"""Random weights from a seed of their own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Generator[None, None, None]:
    """Inside, torch draws on the CPU from `seed`; the global generators keep their states."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also seed the generators of all GPUs, which fork_rng does not restore here.
        torch.default_generator.manual_seed(seed)
        yield
