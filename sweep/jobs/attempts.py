"""Attempts at records on a worker: computes them, writes their journals, delivers them to MLflow, stores the outcomes.

The cells of a cohort are attempted together; a teacher is attempted alone.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sweep.jobs import places
from sweep.jobs.faults import Fault, classify
from sweep.jobs.journals import JournalWriter
from sweep.jobs.progress import Progress
from sweep.jobs.watchdog import Watchdog
from sweep.records import environment, log
from sweep.records.checkpoints import Start, StoredCheckpoints
from sweep.records.environment import CodeVersion, Environment
from sweep.records.leases import Lease, LeaseLost
from sweep.records.records import Attempt, Record, now
from sweep.records.storage import Storage
from sweep.records.stored import AttemptStart, Result
from sweep.tracking.delivery import Delivery
from sweep.tracking.runs import RunSpec
from sweep.tracking.tracking import Tracking
from trainables.errors import NotFinite
from trainables.plugins import metric_sources

if TYPE_CHECKING:
    from trainables.checkpoints import Checkpoints
    from trainables.member import Outcome
    from trainables.metrics import Report

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 60.0


class RetrySmaller(Exception):
    """An error that a smaller cohort, or a cell alone in smaller micro-batches, may not have."""


@dataclass(frozen=True)
class Context:
    """What all trials of a sweep share. It is picklable, because it is sent to every node."""

    sweep: str
    storage_url: str
    tracking: Tracking | None
    code: CodeVersion
    """The version of the code on the driver."""
    num_threads: int
    driver: str
    """The token of the driver's heartbeat."""
    stall_minutes: float | None = None
    """How long a trial may make no step; None: for any time."""

    @property
    def storage(self) -> Storage:
        return Storage(self.storage_url)

    @property
    def computed_by(self) -> str:
        return f"{self.sweep}@{environment.host()}"


class Target(NamedTuple):
    """A record to be made, with its run, the checkpoint that it continues from, and the right to make it."""

    record: Record
    run: RunSpec
    start: Start | None
    lease: Lease


@dataclass(frozen=True)
class Ended:
    """How an attempt ended."""

    done: bool
    reason: str | None
    delivered: bool
    elsewhere: str | None = None
    """Who else computes the record, so that this trial does not."""

    def facts(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Try:
    """An attempt while it is computed."""

    attempt: Attempt
    checkpoints: Checkpoints
    report: Report
    """Takes the metrics of a step."""


Computed = Result | NotFinite | ValueError
"""The result of a record, or the error that stopped this record alone."""


def make(
    targets: Sequence[Target],
    context: Context,
    compute: Callable[[Sequence[Try]], Sequence[Computed]],
    progress: Progress,
    num_parts: int = 1,
    *,
    may_split: bool = False,
) -> dict[str, Ended]:
    """Makes one attempt at each record, all at once; returns their ends by identity.

    `compute` works in the folders of the attempts. An error that would occur again (a loss that is not finite, a bug)
    marks a record as failed and is returned. A record whose lease is lost meanwhile is left to its new holder. Raises
    an error whose reason lies outside of the record (a disk, a network, a lost device) as it is, after which another
    attempt is worth a try, and RetrySmaller if `compute` raises an error that may be due to any of several records, or,
    with `may_split`, if it runs out of memory. `num_parts`: the parts in which it computes each micro-batch.
    """
    with ExitStack() as logs:
        writers = [_begin(target, context, progress, len(targets), num_parts, logs) for target in targets]
        try:
            kept = places.kept([writer.attempt for writer in writers])
            with kept, _charged(writers, may_split), _watched(writers, context):
                computed = compute([Try(each.attempt, each, each) for each in writers])
                for writer, result in zip(writers, computed, strict=True):
                    _end(writer, result)
        finally:
            ends = {writer.attempt.record.identity: _close(writer) for writer in writers}
        return ends


def _begin(
    target: Target, context: Context, progress: Progress, size: int, num_parts: int, logs: ExitStack
) -> JournalWriter:
    record, start = target.record, target.start
    attempt = record.begin(
        AttemptStart(
            host=environment.host(),
            computed_by=context.computed_by,
            sweep=context.sweep,
            time=now(),
            continues=record.last_in_chain(start.point.attempt) if start else None,
            cohort=size,
            num_parts=num_parts,
            step=start.point.step if start else 0,
            driver=context.driver,
        )
    )
    logs.enter_context(log.stored(record.storage, f"{record.root}/{attempt.stored(log.FILE)}"))
    _log_start(attempt, target.run, context, num_parts)
    delivery = Delivery(context.tracking, target.run, attempt, interval_seconds=size) if context.tracking else None
    kept = StoredCheckpoints(attempt, start)
    return JournalWriter(attempt, kept, delivery, progress, target.lease, interval_seconds=size)


def _watched(writers: Sequence[JournalWriter], context: Context) -> AbstractContextManager[None]:
    """Ends the process if the attempts make no step for too long."""
    if context.stall_minutes is None:
        return nullcontext()
    return Watchdog([writer.attempt for writer in writers], context.stall_minutes).watching()


@contextmanager
def _charged(writers: Sequence[JournalWriter], may_split: bool) -> Generator[None]:
    """Ends the attempts that have not ended, if an error occurs. `may_split`: as in `make`."""
    try:
        yield
    except LeaseLost as error:
        logger.warning("the attempt ends: %s", error)
        for writer in writers:
            if not writer.has_ended:
                writer.lose(str(error))
    except Exception as error:  # any error of a cell ends that cell alone, and is stored with its traceback
        fault, is_alone = classify(error), len(writers) == 1
        is_tried_smaller = not fault.is_outside and (not is_alone or (fault.is_of_memory and may_split))
        by_itself = not fault.is_outside and not is_tried_smaller
        reason = _reason(fault, error)
        how = "by itself" if by_itself else "in this size" if is_tried_smaller else "for a reason outside of it"
        logger.exception("the attempt fails %s: %s", how, reason)
        for writer in writers:
            if not writer.has_ended:
                writer.fail(fault, reason, error, by_itself=by_itself)
        if is_tried_smaller:
            raise RetrySmaller(reason) from error
        if fault.is_outside:
            raise


def _reason(fault: Fault, error: Exception) -> str:
    reason = fault.reason(error)
    return f"{reason}; {environment.held_memory()}" if fault == Fault.HOST_MEMORY else reason


def _end(writer: JournalWriter, computed: Computed) -> None:
    """Commits a result, or marks the record as failed; does neither if the lease is lost."""
    try:
        if isinstance(computed, Result):
            writer.commit(computed)
            logger.info("the result is stored in %s", writer.attempt.record.root)
            return
        writer.lease.verify()
    except LeaseLost as error:
        computed = error
    if isinstance(computed, LeaseLost):
        logger.warning("nothing is stored: %s", computed)
        writer.lose(str(computed))
        return
    fault = Fault.NOT_FINITE if isinstance(computed, NotFinite) else Fault.CODE
    writer.fail(fault, fault.reason(computed), computed, by_itself=True)
    logger.error("%s fails by itself: %s", writer.attempt.record.root, writer.reason, exc_info=computed)


def _close(writer: JournalWriter) -> Ended:
    delivered = writer.delivery.close(CLOSE_SECONDS) if writer.delivery else True
    logger.info("the attempt ends%s", "" if delivered else "; its run in MLflow is not complete")
    return Ended(writer.is_done, writer.reason, delivered, writer.elsewhere)


def _log_start(attempt: Attempt, run: RunSpec, context: Context, num_parts: int) -> None:
    record, host, process = attempt.record, environment.host(), os.getpid()
    logger.info("attempt %d of %s (%s) begins", attempt.number, run.name, record.root)
    logger.info("it runs on %s as process %d for the sweep %s", host, process, context.sweep)
    packages = [f"{name} {version}" for name, version in environment.versions().items()]
    if num_parts > 1:
        logger.warning("its micro-batches are computed in %d parts each, because memory was too small", num_parts)
    logger.info("it runs with Python %s", ", ".join([platform.python_version(), *packages]))


def shared(outcome: Outcome, attempt: Attempt, context: Context, task_kind: str, num_parts: int) -> dict[str, Any]:
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
        "size": outcome.size,
        "num_parts": num_parts,
        "own_metrics": metric_sources(task_kind),
    }
