"""Random weights from a seed of their own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Generator[None, None, None]:
    """Torch's draws on the CPU come from `seed`; the global generators are neither read nor moved."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would reach the generators of every GPU, which are not put back.
        torch.default_generator.manual_seed(seed)
        yield
