"""One attempt at a record on a worker: computes it, writes its journal, delivers it to MLflow, stores the outcome."""

from __future__ import annotations

import logging
import os
import platform
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sweep.records import environment, log
from sweep.records.environment import CodeVersion, Environment
from sweep.records.journal import JournalRow
from sweep.records.records import Attempt, Record, now
from sweep.records.storage import Storage
from sweep.records.stored import Result
from sweep.tracking.delivery import Delivery
from sweep.tracking.runs import RunSpec
from sweep.tracking.tags import TRAIN_LOSS
from sweep.tracking.tracking import Tracking
from trainables.errors import NotFinite

if TYPE_CHECKING:
    from trainables.metrics import Metrics, Report

logger = logging.getLogger(__name__)

ReportProgress = Callable[[dict[str, Any]], None]
"""Takes the `step` and `loss` of a running trial, at most once per second."""

FLUSH_SECONDS = 1.0
CLOSE_SECONDS = 60.0


@dataclass(frozen=True)
class Context:
    """What all trials of a sweep share. It is picklable, because it is sent to every node."""

    sweep: str
    storage_url: str
    tracking: Tracking | None
    code: CodeVersion
    """The version of the code on the driver."""
    num_threads: int

    @property
    def storage(self) -> Storage:
        return Storage(self.storage_url)

    @property
    def computed_by(self) -> str:
        return f"{self.sweep}@{environment.host()}"


@dataclass(frozen=True)
class Ended:
    """How an attempt ended."""

    done: bool
    reason: str | None
    delivered: bool

    def facts(self) -> dict[str, Any]:
        return {"done": self.done, "reason": self.reason, "delivered": self.delivered}


@dataclass
class JournalWriter:
    """Takes measurements, writes them to the journal in segments, and passes them on for delivery."""

    attempt: Attempt
    delivery: Delivery | None
    progress: ReportProgress
    rows: list[JournalRow] = field(default_factory=list[JournalRow])
    flushed: float = field(default_factory=time.monotonic)

    def __call__(self, step: int, metrics: Metrics) -> None:
        self.rows.append({"step": step, "time": now(), "metrics": metrics})
        if time.monotonic() - self.flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        if not self.rows:
            return
        self.attempt.journal.write(self.rows)
        if self.delivery:
            self.delivery.add(self.rows)
        losses = [row["metrics"][TRAIN_LOSS] for row in self.rows if TRAIN_LOSS in row["metrics"]]
        self.progress({"step": self.rows[-1]["step"], "loss": losses[-1] if losses else None})
        self.rows, self.flushed = [], time.monotonic()


def make(
    record: Record,
    run: RunSpec,
    context: Context,
    compute: Callable[[Attempt, Report], Result],
    progress: ReportProgress,
) -> Ended:
    """Makes one attempt. `compute` works in the folder of the attempt and returns the result of the record.

    An error that would occur again (a loss that is not finite, a bug) marks the record as failed and is returned. An
    OSError (disk, network) is raised, so that another attempt is made.
    """
    attempt = record.begin(host=environment.host(), computed_by=context.computed_by, sweep=context.sweep)
    with log.stored(record.storage, f"{record.root}/{attempt.stored(log.FILE)}"):
        _log_start(attempt, run, context)
        return _carry_out(attempt, run, context, compute, progress)


def _carry_out(
    attempt: Attempt,
    run: RunSpec,
    context: Context,
    compute: Callable[[Attempt, Report], Result],
    progress: ReportProgress,
) -> Ended:
    delivery = Delivery(context.tracking, run, attempt) if context.tracking else None
    writer = JournalWriter(attempt, delivery, progress)
    reason: str | None = None
    try:
        result = compute(attempt, writer)
        writer.flush()
        attempt.commit(result)
        logger.info("the result is stored in %s", attempt.record.root)
    except OSError as error:
        logger.exception("the attempt fails for a reason outside of it, so that another one is worth a try")
        attempt.fail("input or output", str(error), traceback.format_exc(), by_itself=False)
        if delivery:
            delivery.close(CLOSE_SECONDS)
        raise
    except Exception as error:  # any error of a cell ends that cell alone, and is stored with its traceback
        writer.flush()
        reason = str(error) if isinstance(error, NotFinite) else f"{type(error).__name__}: {error}"
        attempt.fail(reason, str(error), traceback.format_exc(), by_itself=True)
        logger.exception("the attempt fails by itself: %s", reason)
    delivered = delivery.close(CLOSE_SECONDS) if delivery else True
    logger.info("the attempt ends%s", "" if delivered else "; its run in MLflow is not complete")
    return Ended(reason is None, reason, delivered)


def _log_start(attempt: Attempt, run: RunSpec, context: Context) -> None:
    record, host, process = attempt.record, environment.host(), os.getpid()
    logger.info("attempt %d of %s (%s) begins", attempt.number, run.name, record.root)
    logger.info("it runs on %s as process %d for the sweep %s", host, process, context.sweep)
    packages = [f"{name} {version}" for name, version in environment.versions().items()]
    logger.info("it runs with Python %s", ", ".join([platform.python_version(), *packages]))


def shared(outcome: Any, attempt: Attempt, context: Context) -> dict[str, Any]:
    """The fields of `Result`, which the results of cells and of teachers share."""
    return {
        "attempt": attempt.number,
        "time": now(),
        "computed_by": context.computed_by,
        "environment": Environment.of_worker(context.code),
        "metrics": outcome.metrics,
        "main_metric": outcome.main_metric,
        "signature": outcome.signature,
        "steps": outcome.num_steps,
        "best_step": outcome.best_step,
    }
