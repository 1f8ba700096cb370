"""The seconds of each member of a cohort; time that members share is divided evenly among them."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from trainables.metrics import Metrics

TOTAL = "seconds/total"
"""The metric of all seconds of a cell or a teacher."""


@dataclass
class Seconds:
    """The seconds of one member."""

    total: float = 0.0
    targets: float = 0.0
    """In the teacher's forward passes for training steps and evaluations."""
    eval: float = 0.0
    """In evaluations, including the test of the best student."""

    def metrics(self) -> Metrics:
        return {f"seconds/{name}": seconds for name, seconds in asdict(self).items()}


@dataclass
class Clock:
    """A running clock, whose stretches of time are charged to members."""

    last: float = field(default_factory=lambda: time.perf_counter())

    def stretch(self, members: Collection[Seconds], *, is_eval: bool = False) -> float:
        """Charges the time since the last stretch to these members, in equal shares."""
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        for each in members:
            each.total += seconds / len(members)
            each.eval += seconds / len(members) if is_eval else 0.0
        return seconds


MOST_SHARE = 0.02
"""The most that checkpoints take of the time of a training."""


@dataclass
class Pause:
    """The time until the next checkpoint: a fixed one, and longer where checkpoints would take too much of it."""

    seconds: float
    _begun: float = field(default_factory=time.monotonic)
    _spent: float = 0.0
    """The seconds that the last checkpoint took."""

    def is_over(self) -> bool:
        """Whether the next checkpoint is due."""
        return time.monotonic() - self._begun > max(self.seconds, self._spent * (1 / MOST_SHARE - 1))

    @contextmanager
    def spending(self) -> Generator[None]:
        """The writing of a checkpoint, after which the next pause begins."""
        start = time.monotonic()
        yield
        self._begun = time.monotonic()
        self._spent = self._begun - start
