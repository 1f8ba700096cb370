"""How much smaller a record is tried again: in a smaller cohort first, then alone in parts of its micro-batches.

What earlier attempts have met stands in the records, so that it also holds after the worker or the command has died.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sweep.jobs import starts
from sweep.jobs.attempts import Ended, RetrySmaller
from sweep.jobs.faults import Fault
from sweep.jobs.starts import Group
from sweep.records.records import Record
from sweep.records.stored import AttemptFailure, AttemptStart
from trainables import device

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rung:
    """Records that are attempted together."""

    group: Group
    num_parts: int = 1
    """The parts in which each micro-batch is computed."""
    may_split: bool = False
    """Whether one record alone may be tried again in more parts."""


def make(records: Sequence[Record], most_parts: int, attempt: Callable[[Rung], dict[str, Ended]]) -> dict[str, Ended]:
    """Attempts records in the largest cohorts that their earlier attempts allow, and smaller each time that one fails.

    `most_parts`: the most parts of a micro-batch of any of them. Returns their ends by identity.
    """
    ends: dict[str, Ended] = {}
    for group in starts.groups(records) if records else []:
        for rung in rungs(group, most_parts):
            try:
                ends |= attempt(rung)
                continue
            except RetrySmaller as error:
                how = "in smaller cohorts" if len(rung.group) > 1 else "in smaller micro-batches"
                logger.warning("%d are tried again %s after %s", len(rung.group), how, error)
            device.free_memory()  # of the models, which the traceback of the error held
            left = [record for record, _ in rung.group if record.result() is None]
            ends |= make(left, most_parts, attempt)
    return ends


@dataclass
class _Limit:
    """What the failures since the last one that was charged to the record itself allow for the next attempt."""

    cohort: int | None = None
    """The most records of it; None: any number."""
    num_parts: int = 1

    def add(self, start: AttemptStart, failure: AttemptFailure) -> None:
        """Takes one more failed attempt into account."""
        fault = next((each for each in Fault if each == failure.fault), None)
        if failure.by_itself:  # it is tried again because a person has mended the cause
            self.cohort, self.num_parts = None, 1
        elif fault is None or fault.is_outside:
            return
        elif start.cohort > 1:
            self.cohort = min(self.cohort or start.cohort, (start.cohort + 1) // 2)
        elif fault.is_of_memory:
            self.cohort, self.num_parts = 1, max(self.num_parts, 2 * start.num_parts)


def rungs(group: Group, most_parts: int) -> list[Rung]:
    """The records of a group, which continue at the same step, as they are attempted next."""
    by_limit: dict[tuple[int, int], Group] = {}
    for record, start in group:
        limit = _limit(record)
        key = limit.cohort or len(group), min(limit.num_parts, most_parts)
        by_limit.setdefault(key, []).append((record, start))
    return [
        Rung(part, num_parts, may_split=len(part) == 1 and num_parts < most_parts)
        for (size, num_parts), members in by_limit.items()
        for part in _chunks(members, size)
    ]


def _limit(record: Record) -> _Limit:
    limit = _Limit()
    for number in record.attempts():
        if failure := record.failure_of(number):
            limit.add(record.attempt(number), failure)
    return limit


def _chunks(members: Group, size: int) -> Sequence[Group]:
    return [members[start : start + size] for start in range(0, len(members), size)]
