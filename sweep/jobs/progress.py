"""The progress of a trial, reported to the driver at most once per second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

INTERVAL_SECONDS = 1.0

PROGRESS, ENDED = "progress", "ended"
"""The keys of a trial's reports: identity -> step and loss, and identity -> the facts of `Ended`."""


@dataclass
class Progress:
    """The last step and loss of each cell of a trial."""

    send: Callable[[dict[str, Any]], None]
    """`ray.tune.report`."""
    latest: dict[str, tuple[int, float | None]] = field(default_factory=dict[str, "tuple[int, float | None]"])
    sent: float = field(default_factory=lambda: time.monotonic())

    def __call__(self, identity: str, step: int, loss: float | None) -> None:
        """Takes the step of a cell or teacher, and its loss if it was measured."""
        earlier = self.latest.get(identity)
        self.latest[identity] = (step, loss if loss is not None or earlier is None else earlier[1])
        if time.monotonic() - self.sent >= INTERVAL_SECONDS:
            self.send({PROGRESS: dict(self.latest)})
            self.sent = time.monotonic()
