"""The journal of an attempt while it is written, up to the attempt's end."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.jobs.faults import Fault
from sweep.jobs.progress import Progress
from sweep.records.checkpoints import StoredCheckpoints
from sweep.records.journal import JournalRow
from sweep.records.leases import Lease
from sweep.records.records import Attempt, now
from sweep.records.stored import Result
from sweep.tracking.delivery import Delivery
from sweep.tracking.tags import TRAIN_LOSS
from trainables import pulse

if TYPE_CHECKING:
    from trainables.metrics import Metrics


@dataclass
class JournalWriter:
    """Takes metrics and checkpoints; writes metrics to the journal in segments, and passes them on for delivery.

    An attempt that continues another one computes some steps again; metrics that the journal already has at a step
    are dropped. Once the lease is lost, nothing more is written, and LeaseLost is raised.
    """

    attempt: Attempt
    checkpoints: StoredCheckpoints
    delivery: Delivery | None
    progress: Progress
    lease: Lease
    interval_seconds: float
    """The least time between two segments."""
    rows: list[JournalRow] = field(default_factory=list[JournalRow])
    flushed: float = field(default_factory=time.monotonic)
    has_ended: bool = False
    is_done: bool = False
    reason: str | None = None
    """Why the attempt failed."""
    elsewhere: str | None = None
    """Why another trial computes the record now."""

    def __post_init__(self) -> None:
        earlier = self.attempt.record.journal_of(self.attempt.number) if self.checkpoints.start else []
        self._known = {(row["step"], name) for row in earlier for name in row["metrics"]}
        if self.delivery and earlier:
            self.delivery.add(earlier)  # because the earlier attempt may not have delivered them

    def __call__(self, step: int, metrics: Metrics) -> None:
        new = {name: value for name, value in metrics.items() if (step, name) not in self._known}
        if new:
            self._known |= {(step, name) for name in new}
            self.rows.append({"step": step, "time": now(), "metrics": new})
        self.progress(self.attempt.record.identity, step, metrics.get(TRAIN_LOSS))
        if time.monotonic() - self.flushed >= self.interval_seconds:
            self.flush()

    def flush(self) -> None:
        if self.rows:
            self.lease.check()
            self.attempt.journal.write(self.rows)
            if self.delivery:
                self.delivery.add(self.rows)
        self.rows, self.flushed = [], time.monotonic()

    def save(self, step: int, folder: Path) -> None:
        """Stores a checkpoint, after the rows up to its step, which are not computed again from there."""
        self.lease.verify()
        self.flush()
        self.checkpoints.save(step, folder)

    def latest(self) -> Path | None:
        """The checkpoint that the attempt continues from."""
        return self.checkpoints.latest()

    def commit(self, result: Result) -> None:
        """Ends the attempt with a result."""
        self.lease.verify()
        self.flush()
        self.attempt.commit(result)
        self.has_ended = self.is_done = True

    def fail(self, fault: Fault, reason: str, error: Exception, *, by_itself: bool) -> None:
        """Ends the attempt with an error of this class; `by_itself`: as in `Attempt.fail`."""
        if by_itself:
            self.flush()
        trace = "".join(traceback.format_exception(error))
        self.attempt.fail(reason, str(error), trace, by_itself=by_itself, fault=fault, batches=pulse.num_since())
        self.has_ended, self.reason = True, reason

    def lose(self, reason: str) -> None:
        """Leaves the record to the trial that has taken it over, and its run too."""
        if self.delivery:
            self.delivery.abandon()
        self.has_ended, self.elsewhere = True, reason
