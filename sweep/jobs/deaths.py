"""Deaths of workers, which only the driver sees: told to the records of the attempts that ended with them."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.experiment import Trial

from sweep.jobs import places
from sweep.jobs.faults import Fault
from sweep.records.records import Record
from trainables.errors import InputError

logger = logging.getLogger(__name__)

_FAILURE = re.compile(r"^Failure # \d+.*\n?", re.MULTILINE)
"""Precedes each failure in the text that Tune keeps of a trial."""
_TASK = "ray::"
"""Is in the first line of an error that the trial has raised itself."""
_CAUSE = re.compile(r"The actor (is dead|died) because [^.]*\.")
"""What Ray knows of a worker that died."""
_KILLED = "running low on memory"
"""Is in what Ray's memory monitor says of a worker that it kills."""


def last_failure(trial: Trial) -> str:
    """The last failure of a trial: what Ray says of a worker that died, or the error that the trial has raised.

    `Trial.get_error` would read a copy of this file, which is made later.
    """
    path = trial.error_file
    text = Path(path).read_text(encoding="utf-8") if path and Path(path).is_file() else ""
    return _FAILURE.split(text)[-1].strip() or "its worker died"


def in_short(failure: str) -> str:
    """A failure on one line: the error at the end of a traceback, or why a worker died."""
    lines = failure.splitlines()
    if _TASK in lines[0]:
        return lines[-1]
    cause = _CAUSE.search(failure)
    return cause[0] if cause else lines[0]


@dataclass(frozen=True)
class Deaths:
    """Tells records why their attempts have ended without a word."""

    records: Mapping[str, Record]
    """By identity."""
    driver: str
    """The token of the driver, whose own attempts alone are told."""

    def tell(self, identity: str, failure: str) -> None:
        """Ends the last attempt at a record with the death of its worker, unless it has ended already."""
        if _TASK in failure.partition("\n")[0]:
            return
        fault = Fault.HOST_MEMORY if _KILLED in failure else Fault.DEVICE
        record = self.records[identity]
        try:
            number = max(record.attempts(), default=None)
            if number is None or record.attempt(number).driver != self.driver or record.result():
                return
            attempt = record.existing(number)
            attempt.fail(
                f"{fault}: {in_short(failure)}",
                failure,
                by_itself=False,
                fault=fault,
                batches=places.last(record, number),
            )
        except (OSError, InputError) as error:  # an error here would end all trials
            logger.warning("the end of the attempt at %s cannot be stored: %s", record.root, error)


@contextmanager
def known_to_tune() -> Generator[None]:
    """Lets Tune take a worker that Ray's memory monitor has killed for one that died, inside this context.

    Otherwise the OutOfMemoryError of Ray, which is no RayActorError, would end all trials.
    """
    original = RayActorManager._actor_task_failed  # type: ignore[reportPrivateUsage]

    def failed(manager: RayActorManager, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, OutOfMemoryError):
            exception = RayActorError(error_msg=str(exception))
        original(manager, tracked_actor_task, exception)

    RayActorManager._actor_task_failed = failed  # type: ignore[reportPrivateUsage]
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = original  # type: ignore[reportPrivateUsage]
