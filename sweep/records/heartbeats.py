"""Heartbeats: files by which processes that share a storage alone know which drivers and trials are still at work.

    heartbeats/<token>.json    who it is, and the steps of its cells; written again every few seconds

Clocks of machines differ and jump. So no one compares times: a heartbeat is dead once an observer has seen it unchanged
for `DEAD_SECONDS` of the observer's own monotonic clock. A process of the same machine is dead as soon as it has ended.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from pydantic import Field

from sweep.records.processes import Process
from sweep.records.storage import Storage
from sweep.records.stored import StoredFile

logger = logging.getLogger(__name__)

FOLDER = "heartbeats"
BEAT_SECONDS = 5.0
DEAD_SECONDS = 30.0
DOUBT_SECONDS = DEAD_SECONDS / 2
"""A holder whose last heartbeat is older asks whether it has been judged dead."""

Kind = Literal["driver", "trial"]
Verdict = Literal["alive", "dead", "unknown"]
Steps = dict[str, tuple[int, float | None]]
"""Identity of a cell or teacher -> its step and its loss."""


class Heartbeat(StoredFile, frozen=True):
    """`heartbeats/<token>.json`."""

    kind: Kind
    sweep: str
    driver: str
    """The token of the driver; a driver's own."""
    process: Process
    since: int
    """Milliseconds since the epoch, by the clock of its machine."""
    count: int = 0
    steps: Steps = Field(default={})

    @property
    def begun(self) -> str:
        """`2026-11-27 10:00:00 UTC`"""
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since / 1000))

    def __str__(self) -> str:
        return f"the sweep {self.sweep} on {self.process}, since {self.begun}"


class Holder:
    """A driver or a trial at work. Its heartbeat is written in the background, inside `beating`."""

    def __init__(
        self,
        storage: Storage,
        kind: Kind,
        sweep: str,
        driver: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.storage = storage
        self.token = uuid4().hex
        self.driver = driver or self.token
        self.facts = Heartbeat(
            kind=kind,
            sweep=sweep,
            driver=self.driver,
            process=Process.here(),
            since=time.time_ns() // 1_000_000,
        )
        self.steps: Mapping[str, tuple[int, float | None]] = {}
        """Taken into each heartbeat."""
        self._count, self._num_doubts, self._clock, self._last = 0, 0, clock, clock()

    @contextmanager
    def beating(self) -> Generator[None]:
        """Writes the heartbeat from now on, and removes it at the end. Raises OSError if the first one fails."""
        self.beat()
        ended = threading.Event()
        thread = threading.Thread(target=self._work, args=(ended,), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(BEAT_SECONDS)
            with contextlib.suppress(OSError):  # others judge it dead after a while
                forget(self.storage, self.token)

    def beat(self) -> None:
        """Writes the heartbeat once. Raises OSError."""
        now = self._clock()
        self.num_doubts()
        self._count += 1
        facts = self.facts.model_copy(update={"count": self._count, "steps": dict(self.steps)})
        self.storage.write(_path(self.token), facts.dump())
        self._last = now

    def num_doubts(self) -> int:
        """A number that has grown if its heartbeat was so late since the last call that others may judge it dead."""
        self._num_doubts += self._clock() - self._last > DOUBT_SECONDS
        return self._num_doubts

    def _work(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                self.beat()
            except OSError as error:
                logger.warning("the heartbeat cannot be written: %s", error)


@dataclass
class _Look:
    """What an observer has seen of a heartbeat."""

    heartbeat: Heartbeat
    at: float
    age: float = 0.0
    """For how long it has been seen unchanged."""
    has_changed: bool = False


class Judge:
    """An observer that judges heartbeats by its own clock. It has to look every few seconds."""

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.monotonic) -> None:
        self.storage, self._clock = storage, clock
        self._looks: dict[str, _Look] = {}

    def verdict(self, token: str) -> Verdict:
        """Whether the holder is at work; unknown until its heartbeat has changed or is dead."""
        heartbeat = read(self.storage, token)
        if heartbeat is None or heartbeat.process.has_ended:
            return "dead"
        look = self._look(token, heartbeat)
        if look.age >= DEAD_SECONDS:
            return "dead"
        return "alive" if look.has_changed or heartbeat.process.is_near else "unknown"

    def _look(self, token: str, heartbeat: Heartbeat) -> _Look:
        now = self._clock()
        look = self._looks.get(token)
        if look is None or look.heartbeat != heartbeat:
            self._looks[token] = _Look(heartbeat, now, has_changed=look is not None)
        else:
            # While an observer cannot look, such as in an outage of the storage, the holder may not be able to write.
            look.age, look.at = look.age + min(now - look.at, BEAT_SECONDS), now
        return self._looks[token]


def read(storage: Storage, token: str) -> Heartbeat | None:
    """The heartbeat of a holder; None once it has ended."""
    return Heartbeat.read(storage, _path(token))


def present(storage: Storage) -> dict[str, Heartbeat]:
    """Token -> heartbeat of every holder of the storage, dead or alive."""
    tokens = [name.removesuffix(".json") for name in storage.list(FOLDER)]
    return {token: heartbeat for token in tokens if (heartbeat := read(storage, token))}


def not_dead(storage: Storage, judge: Judge) -> dict[str, Heartbeat]:
    """Token -> heartbeat of every holder that is not known to be dead."""
    return {token: each for token, each in present(storage).items() if judge.verdict(token) != "dead"}


def living(storage: Storage, sleep: Callable[[float], None] = time.sleep) -> dict[str, Heartbeat]:
    """Token -> heartbeat of every holder that is alive. Waits until that is known of each."""
    judge = Judge(storage)
    while "unknown" in (verdicts := {token: judge.verdict(token) for token in present(storage)}).values():
        sleep(1)
    return {token: each for token, each in present(storage).items() if verdicts.get(token) == "alive"}


def forget(storage: Storage, token: str) -> None:
    """Removes the heartbeat of a holder that has ended or is dead, for everyone."""
    storage.delete(_path(token))


def _path(token: str) -> str:
    return f"{FOLDER}/{token}.json"
