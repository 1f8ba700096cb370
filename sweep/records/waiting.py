"""The wait for records that others compute."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from sweep.records.heartbeats import Judge
from sweep.records.leases import is_free
from sweep.records.records import Record

logger = logging.getLogger(__name__)

LEAST_SECONDS = 1.0
NUM_PER_SECOND = 10
"""The records that are looked at in a second, so that a storage is not kept busy."""


def until_free(records: Iterable[Record], judge: Judge, sleep: Callable[[float], None] = time.sleep) -> None:
    """Returns once all of the records have ended, or once no living holder has one of them."""
    waiting = list(records)
    while waiting:
        try:
            waiting = [record for record in waiting if record.state() == "missing"]
            free = [record for record in waiting if is_free(record, judge)]  # a judge has to look at all of them
            if free:
                return
        except OSError as error:
            logger.warning("the storage does not answer while others are waited for: %s", error)
        if waiting:
            sleep(max(LEAST_SECONDS, len(waiting) / NUM_PER_SECOND))
