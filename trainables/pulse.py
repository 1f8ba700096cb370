"""The pulse of a training: a number that grows with each batch, by which a watchdog sees that work goes on."""

from __future__ import annotations

import itertools

_batches = itertools.count(1)
_last = 0


def beat() -> None:
    """Says that the next batch of a training, a validation or a test begins."""
    global _last
    _last = next(_batches)


def num_batches() -> int:
    """The batches that this process has begun."""
    return _last
