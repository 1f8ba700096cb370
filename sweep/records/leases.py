"""Leases: each cell and each teacher is computed by one trial at a time, whatever the sweep and the machine.

    cells/<fingerprint>/lease-<n>.json    who computes it; created only where there is none

The highest number counts. Who finds its holder dead creates the next number, so that of several only one succeeds. A
lease only saves work: what makes a result true is that its manifest is created once.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from sweep.records import heartbeats
from sweep.records.heartbeats import Holder, Judge
from sweep.records.records import Record
from sweep.records.storage import Storage
from sweep.records.stored import StoredFile

logger = logging.getLogger(__name__)

_NAME = re.compile(r"lease-(\d+)\.json")


class LeaseLost(ValueError):
    """Another trial has taken the record over, so that this one may no longer write to it."""


class LeaseFile(StoredFile, frozen=True):
    """`lease-<n>.json`."""

    holder: str
    """The token of its heartbeat."""
    driver: str
    about: str
    """Who it is, for people."""


@dataclass
class Lease:
    """The right of a holder to compute a record."""

    record: Record
    holder: Holder
    number: int
    file: LeaseFile

    def __post_init__(self) -> None:
        self._num_doubts = self.holder.num_doubts()

    def check(self) -> None:
        """Raises LeaseLost if the lease is lost. Asks the storage only if the holder may have been judged dead."""
        num_doubts = self.holder.num_doubts()
        if num_doubts != self._num_doubts:
            self.verify()
            self._num_doubts = num_doubts

    def verify(self) -> None:
        """Raises LeaseLost if the lease is lost."""
        storage, root = self.record.storage, self.record.root
        if max(_numbers(storage, root), default=0) == self.number and _read(storage, root, self.number) == self.file:
            return
        now = current(self.record)
        by = f" to {now.about}" if now else ""
        raise LeaseLost(f"this trial was too slow and has lost {root}{by}: it writes nothing more there")

    def release(self) -> None:
        """Gives the record to whoever wants it next."""
        if _read(self.record.storage, self.record.root, self.number) == self.file:
            self.record.storage.delete(_path(self.record.root, self.number))


def acquire(record: Record, holder: Holder, judge: Judge) -> Lease | LeaseFile:
    """A lease of the record, else the lease of another holder that is not known to be dead.

    Leases of the same driver are taken over: it starts a trial again only if the one before has ended.
    """
    storage, root = record.storage, record.root
    file = LeaseFile(holder=holder.token, driver=holder.driver, about=str(holder.facts))
    while True:
        numbers = _numbers(storage, root)
        last = max(numbers, default=0)
        other = _read(storage, root, last) if last else None
        if last and other is None:
            continue  # it was released meanwhile
        if other and other.driver != holder.driver and judge.verdict(other.holder) != "dead":
            return other
        if not storage.create(_path(root, last + 1), file.dump()):
            continue  # another one was faster
        if last and _read(storage, root, last) != other:  # its number was released and given to someone else
            storage.delete(_path(root, last + 1))
            continue
        if other:
            logger.warning("%s is taken over from %s, which is dead", root, other.about)
        for number in numbers:
            storage.delete(_path(root, number))
        return Lease(record, holder, last + 1, file)


def current(record: Record) -> LeaseFile | None:
    """The lease of the record, whose holder may be dead; None if there is none."""
    last = max(_numbers(record.storage, record.root), default=0)
    return _read(record.storage, record.root, last) if last else None


def is_free(record: Record, judge: Judge) -> bool:
    """Whether no holder has the record, or a dead one. The heartbeat of a dead one is removed, so that all know."""
    lease = current(record)
    if lease is None:
        return True
    if judge.verdict(lease.holder) != "dead":
        return False
    heartbeats.forget(record.storage, lease.holder)
    return True


def clear(record: Record, judge: Judge) -> None:
    """Removes what a dead holder has left of its lease."""
    numbers = _numbers(record.storage, record.root)
    if numbers and is_free(record, judge):
        for number in numbers:
            record.storage.delete(_path(record.root, number))


def _numbers(storage: Storage, root: str) -> list[int]:
    return [int(match[1]) for name in storage.list(root) if (match := _NAME.fullmatch(name))]


def _read(storage: Storage, root: str, number: int) -> LeaseFile | None:
    return LeaseFile.read(storage, _path(root, number))


def _path(root: str, number: int) -> str:
    return f"{root}/lease-{number}.json"
