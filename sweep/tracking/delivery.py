"""Delivers journals to MLflow in the background of a trial, which neither waits for the server nor fails with it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable

from sweep.records.journal import JournalRow
from sweep.records.records import Attempt
from sweep.tracking.experiment import MAX_POINTS, TrackingError
from sweep.tracking.runs import Point, RunSpec, read_points
from sweep.tracking.tags import TEACHER_KIND
from sweep.tracking.tracking import Tracking

logger = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 30.0
LAST_TRY_SECONDS = 5.0
"""The time for a last request to a server that did not answer before."""


class Delivery:
    """Opens the run of an attempt, sends added rows at most once per interval, and ends the run with the attempt.

    While the server does not answer, rows are kept and sent again after longer and longer pauses. `Tracking.fill` draws
    what is still undelivered at the end from the journal.
    """

    def __init__(self, tracking: Tracking, run: RunSpec, attempt: Attempt, interval_seconds: float = 1.0) -> None:
        self.error: str | None = None
        """Why the last request failed; None if it succeeded."""
        self._tracking, self._run, self._attempt = tracking, run, attempt
        self._interval = interval_seconds
        self._run_id: str | None = None
        self._points: list[Point] = []
        self._keys: set[str] = set()
        self._left_out: list[str] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._given_up = threading.Event()
        self._delivered = False
        self._watched = contextlib.ExitStack()
        self._thread = threading.Thread(target=self._work, name="delivery", daemon=True)
        self._thread.start()

    def add(self, rows: Iterable[JournalRow]) -> None:
        """Takes rows that have been written to the journal."""
        points, left_out = read_points(rows)
        with self._lock:
            self._points += points
            self._keys |= {point.key for point in points}
            self._left_out += left_out

    def close(self, timeout_seconds: float) -> bool:
        """Delivers the rest, once the attempt has ended; returns whether everything was delivered in time.

        A server that does not answer gets one more request, and no further wait.
        """
        self._closing.set()
        if self.error:
            self._thread.join(LAST_TRY_SECONDS)
        if not self.error:
            self._thread.join(timeout_seconds)
        self._given_up.set()
        return self._delivered

    def abandon(self) -> None:
        """Sends nothing more and leaves the run as it is, because another attempt goes on with it."""
        self._given_up.set()
        self._closing.set()
        self._delivered = True

    def _work(self) -> None:
        with self._watched:
            self._deliver()

    def _deliver(self) -> None:
        pause = self._interval
        while not self._given_up.is_set():
            closing = self._closing.is_set()
            try:
                self._send()
                if self.error:
                    logger.info("MLflow answers again")
                self.error, pause = None, self._interval
                if closing:
                    self._finish()
                    self._delivered = True
                    return
            except TrackingError as error:
                if not self.error and not self._given_up.is_set():
                    logger.warning("MLflow does not answer, so that rows wait in the journal: %s", error)
                self.error = str(error)
                if closing:
                    return
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
            self._closing.wait(pause)

    def _send(self) -> None:
        """Sends the points of one request; the first call opens the run."""
        if self._run_id is None:
            self._run_id = self._tracking.open_run(self._run, self._attempt.record, self._attempt.number)
            if self._run.kind == TEACHER_KIND:  # not for a cell, which is short and one of many
                self._watched.enter_context(self._tracking.system_metrics(self._run_id))
        with self._lock:
            batch = self._points[:MAX_POINTS]
        if batch:
            self._tracking.send(self._run_id, batch)
            with self._lock:
                del self._points[: len(batch)]

    def _finish(self) -> None:
        """Sends the remaining points and ends the run. If another attempt has won, its run is drawn instead."""
        record = self._attempt.record
        if record.shown_attempt() != self._attempt.number:
            self._tracking.fill(self._run, record)
            return
        while self._points:
            self._send()
        assert self._run_id is not None
        self._tracking.conclude(self._run_id, self._run, record, self._keys, self._left_out)
