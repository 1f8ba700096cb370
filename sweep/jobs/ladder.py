"""How much smaller a record is tried again: in a smaller cohort first, then alone in parts of its micro-batches.

What earlier attempts have met stands in the records, so that it also holds after the worker or the command has died.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sweep.jobs import starts
from sweep.jobs.attempts import Computed, Ended, RetrySmaller, Try
from sweep.jobs.faults import Fault
from sweep.jobs.starts import Group
from sweep.records.records import Record
from sweep.records.stored import AttemptFailure, AttemptStart
from trainables import device
from trainables.wording import count

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rung:
    """Records that are attempted together."""

    group: Group
    num_parts: int = 1
    """The parts in which each micro-batch is computed."""
    may_split: bool = False
    """Whether one record alone may be tried again in more parts."""
    poison: str | None = None
    """Why its one record should not be attempted."""

    def computing(
        self, compute: Callable[[Sequence[Try], int], Sequence[Computed]]
    ) -> Callable[[Sequence[Try]], Sequence[Computed]]:
        """`compute`, which takes the parts too; that of a poisoned record raises at once."""

        def computed(tries: Sequence[Try]) -> Sequence[Computed]:
            if self.poison:
                raise Poison(self.poison)
            return compute(tries, self.num_parts)

        return computed


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
                logger.warning("%s will be tried again %s after %s", count(len(rung.group), "record"), how, error)
            device.free_memory()  # of the models, which the traceback of the error held
            left = [record for record, _ in rung.group if record.result() is None]
            ends |= make(left, most_parts, attempt)
    return ends


class Poison(Exception):
    """A record whose worker is lost again at the same place: another attempt would most likely lose it too."""


@dataclass
class _Limit:
    """What the failures since the last one that was charged to the record itself allow for the next attempt."""

    cohort: int | None = None
    """The most records of it; None: any number."""
    num_parts: int = 1
    poison: str | None = None
    """Why there should be none."""
    _last: tuple[AttemptStart, AttemptFailure] | None = None

    def add(self, start: AttemptStart, failure: AttemptFailure) -> None:
        """Takes one more failed attempt into account."""
        fault = next((each for each in Fault if each == failure.fault), None)
        is_at_same_place = self._is_at_place_of_last(start, failure)
        self._last = start, failure
        self.poison = None
        if failure.by_itself:  # it is tried again because a person has mended the cause
            self.cohort, self.num_parts, self._last = None, 1, None
        elif fault is None or (fault.is_outside and not is_at_same_place):
            return
        elif start.cohort > 1:
            self.cohort = min(self.cohort or start.cohort, (start.cohort + 1) // 2)
        elif is_at_same_place:
            where = f"batch {failure.batches} after step {start.step}"
            self.poison = f"its worker was lost twice at the same place, {where}; {failure.reason}"
        elif fault.is_of_memory:
            self.cohort, self.num_parts = 1, max(self.num_parts, 2 * start.num_parts)

    def _is_at_place_of_last(self, start: AttemptStart, failure: AttemptFailure) -> bool:
        """Whether the worker was lost here the last time too; the time before the first batch is no place."""
        if self._last is None or not failure.batches:
            return False
        lost = (Fault.DEVICE, Fault.HOST_MEMORY)
        before, last = self._last
        places = [
            (each.step, each.cohort, each.num_parts, its.batches) for each, its in ((before, last), (start, failure))
        ]
        return failure.fault in lost and last.fault in lost and places[0] == places[1]


def rungs(group: Group, most_parts: int) -> list[Rung]:
    """The records of a group, which continue at the same step, as they are attempted next."""
    by_limit: dict[tuple[int, int], Group] = {}
    poisoned: list[Rung] = []
    for record, start in group:
        limit = _limit(record)
        if limit.poison:
            poisoned.append(Rung([(record, start)], poison=limit.poison))
            continue
        key = limit.cohort or len(group), min(limit.num_parts, most_parts)
        by_limit.setdefault(key, []).append((record, start))
    return poisoned + [
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
