"""The metrics of a model in training: their types, their sum, and the check that they are finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from trainables.errors import NotFinite

Metrics = dict[str, float]
Report = Callable[[int, Metrics], None]
"""Called with an optimiser step and the metrics at that step."""


def check_finite(step: int, values: Metrics) -> None:
    """Raises NotFinite, with the step and all values, if any of them is not finite."""
    if not all(map(math.isfinite, values.values())):
        raise NotFinite(f"not finite at step {step}: {shown(values)}")


def shown(values: Metrics) -> str:
    """`loss 0.5, loss_ce 0.25`"""
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def summed(parts: Sequence[Metrics]) -> Metrics:
    """The sum of each value over one or more parts."""
    return {name: sum(part[name] for part in parts) for name in parts[0]}
