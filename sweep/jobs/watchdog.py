"""Ends a trial that hangs: its process, with the stacks of all threads in the logs of its attempts.

Tune then tries the trial again, as after any death of a worker. A thread looks whether batches still begin. If that
thread cannot run, because another one holds Python's lock, a timer of `faulthandler`, which needs no lock, ends the
process a little later.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from sweep.jobs.faults import Fault
from sweep.records import log
from sweep.records.records import Attempt
from trainables import pulse

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
GRACE_SECONDS = 60.0
"""How much later the timer ends a process than the thread does."""


@dataclass(frozen=True)
class Watchdog:
    """Watches the attempts of a trial."""

    attempts: Sequence[Attempt]
    minutes: float
    """The longest time without a new batch."""

    @contextmanager
    def watching(self) -> Generator[None]:
        """Ends the process if no batch begins for too long, until the end of the context."""
        ended = threading.Event()
        with ExitStack() as files:
            file = self._file(files)
            self._set_timer(file)
            thread = threading.Thread(target=self._watch, args=(ended, file), name="watchdog", daemon=True)
            thread.start()
            try:
                yield
            finally:
                ended.set()
                thread.join()
                faulthandler.cancel_dump_traceback_later()

    def _file(self, files: ExitStack) -> Any:
        """Where the timer writes the stacks: the log of the first attempt, which only a local storage can append to."""
        first = self.attempts[0]
        if not first.record.storage.is_local:
            return sys.__stderr__
        return files.enter_context((first.folder / log.FILE).open("a"))

    def _watch(self, ended: threading.Event, file: Any) -> None:
        limit, count, since = 60 * self.minutes, pulse.num_batches(), time.monotonic()
        while not ended.wait(min(POLL_SECONDS, limit / 4)):
            now = pulse.num_batches()
            if now != count:
                count, since = now, time.monotonic()
                self._set_timer(file)
            elif time.monotonic() - since > limit:
                self._end()

    def _set_timer(self, file: Any) -> None:
        faulthandler.dump_traceback_later(60 * self.minutes + GRACE_SECONDS, exit=True, file=file)

    def _end(self) -> None:
        """Writes the stacks and the reason, and ends the process."""
        reason = f"no step for {self.minutes:g} minutes"
        stacks = _stacks()
        logger.error("%s: the trial is ended, and tried again. The stacks of its threads:\n%s", reason, stacks)
        for attempt in self.attempts:
            try:
                attempt.fail(reason, reason, stacks, by_itself=False, fault=Fault.DEVICE, batches=pulse.num_since())
            except OSError as error:  # the log has it
                logger.warning("the reason cannot be stored: %s", error)
        if not self.attempts[0].record.storage.is_local:
            time.sleep(log.COPY_SECONDS + 1)  # the log has to be copied
        os._exit(1)


def _stacks() -> str:
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read()
