"""What a trial may compute: the records that are not finished and that no other trial of the storage computes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from sweep.jobs.attempts import Context, Ended
from sweep.jobs.progress import Progress
from sweep.records.heartbeats import Holder, Judge
from sweep.records.leases import Lease, acquire, clear
from sweep.records.records import Record

logger = logging.getLogger(__name__)


@dataclass
class Claim:
    """The leases of a trial, and how its other records stand."""

    leases: dict[str, Lease] = field(default_factory=dict[str, Lease])
    """By identity, like all here."""
    ends: dict[str, Ended] = field(default_factory=dict[str, Ended])
    """The records that are done or computed elsewhere."""

    def add(self, record: Record, holder: Holder, judge: Judge) -> None:
        """Takes a lease of the record, unless it is done or computed elsewhere."""
        if record.result():
            clear(record, judge)
            self.ends[record.identity] = Ended(done=True, reason=None, delivered=True)
            return
        lease = acquire(record, holder, judge)
        if not isinstance(lease, Lease):
            logger.info("%s is left to %s", record.root, lease.about)
            by = f"computed by {lease.about}"
            self.ends[record.identity] = Ended(done=False, reason=None, delivered=True, elsewhere=by)
            return
        self.leases[record.identity] = lease
        if record.result():  # its holder has finished it just before
            self.leases.pop(record.identity).release()
            self.ends[record.identity] = Ended(done=True, reason=None, delivered=True)

    def release(self) -> None:
        """Gives all leases back."""
        for lease in self.leases.values():
            with contextlib.suppress(OSError):  # the heartbeat ends, by which all know
                lease.release()


@contextmanager
def claimed(records: Iterable[Record], context: Context, progress: Progress) -> Generator[Claim]:
    """Claims records for a trial, whose heartbeat tells others its progress, until the end of the context."""
    holder = Holder(context.storage, "trial", context.sweep, context.driver)
    holder.steps = progress.latest
    claim, judge = Claim(), Judge(context.storage)
    with holder.beating():
        try:
            for record in records:
                claim.add(record, holder, judge)
            if claim.leases:
                progress.latest |= dict.fromkeys(claim.leases, (0, None))
                holder.beat()
            yield claim
        finally:
            claim.release()
