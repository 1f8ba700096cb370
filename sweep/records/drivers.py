"""The drivers of a sweep: the commands that run it now. There is one, unless others join it.

    sweeps/<name>/driver-<n>.json    one per driver; created only where there is none

Of two that start at once, the one with the lower number stays.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sweep.records import heartbeats
from sweep.records.heartbeats import Holder, Judge, Verdict
from sweep.records.storage import Storage
from sweep.records.stored import StoredFile
from sweep.spec.command import Mode

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
_NAME = re.compile(r"driver-(\d+)\.json")


class Busy(Exception):
    """Another driver runs the sweep; the message says which one."""


class DriverFile(StoredFile, frozen=True):
    """`driver-<n>.json`."""

    holder: str
    """The token of its heartbeat."""
    about: str
    """Who it is, for people."""
    tracking: str
    """The tracking server's address."""


@dataclass
class Drivers:
    """The drivers of one sweep, as one of them sees them."""

    storage: Storage
    name: str
    tracking: str
    mode: Mode
    say: Callable[[str], None]
    """Tells the user what the driver waits for."""
    sleep: Callable[[float], None] = time.sleep
    has_waited: bool = False
    """Whether it has waited for the end of another one, so that its plan is out of date."""
    has_buried: bool = False
    """Whether it has found a dead one, which may have left leases, temporary files and runs."""
    _at_end: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _own: int | None = None
    """Its number, as long as it takes part."""

    def __post_init__(self) -> None:
        self.holder, self.judge = Holder(self.storage, "driver", self.name), Judge(self.storage)

    def settle(self) -> None:
        """Returns once it may start. Creates nothing. Raises Busy if another driver runs the sweep."""
        while self.mode != "join" and (others := self.others()):
            if self.mode == "alone":
                raise Busy(self._refusal(others[0]))
            if not self.has_waited:
                self.say(f"This command waits for the end of {others[0].about}.")
            self.has_waited = True
            self.sleep(POLL_SECONDS)

    def enter(self) -> None:
        """Takes part from now on. Raises Busy if another driver was faster."""
        self._at_end.enter_context(self.holder.beating())
        self._register()
        while self.mode != "join" and (earlier := self._earlier()):
            self._withdraw()
            if self.mode == "alone":
                raise Busy(self._refusal(earlier))
            self.settle()
            self._register()

    def others(self) -> list[DriverFile]:
        """The other drivers that are alive. Waits until that is known of each, and buries the dead ones."""
        while "unknown" in (verdicts := self._verdicts()).values():
            self.sleep(POLL_SECONDS)
        return [file for number, verdict in verdicts.items() if verdict == "alive" and (file := self._read(number))]

    def is_last(self) -> bool:
        """Whether all others have left. If not, it no longer takes part, and one of them is the last."""
        if not self.others():
            return True
        self._withdraw()
        if self.others():
            return False
        self._register()
        if self._earlier():
            self._withdraw()
        return self._own is not None

    def running(self) -> set[str]:
        """Cells and teachers that other drivers of the sweep compute now: fingerprints and hashes."""
        living = {file.holder for file in self.others()}
        trials = heartbeats.present(self.storage).values() if living else ()
        return {identity for each in trials if each.driver in living for identity in each.steps}

    def leave(self, *, is_clean: bool = True) -> None:
        """Takes no part any more, and removes the heartbeats of its trials, all of which have ended.

        Its file stays if it has left leases, temporary files or runs, so that the next driver finds a dead one.
        """
        with contextlib.suppress(OSError):  # others judge it dead after a while
            if is_clean:
                self._withdraw()
            self._bury(self.holder.token)
        self._at_end.close()

    def _verdicts(self) -> dict[int, Verdict]:
        """Number of another driver -> whether it is alive; without dead ones, of which nothing is left then."""
        verdicts: dict[int, Verdict] = {}
        for number in self._numbers():
            file = self._read(number) if number != self._own else None
            if file is None:
                continue
            verdict = self.judge.verdict(file.holder)
            if verdict != "dead":
                verdicts[number] = verdict
                continue
            logger.warning("%s is dead, and what it has left is removed", file.about)
            self._bury(file.holder)
            self.storage.delete(self._path(number))
            self.has_buried = True
        return verdicts

    def _bury(self, driver: str) -> None:
        """Removes the heartbeats of a driver and of its trials, so that their leases are dead for all."""
        for token, heartbeat in heartbeats.present(self.storage).items():
            if heartbeat.driver == driver:
                heartbeats.forget(self.storage, token)

    def _register(self) -> None:
        file = DriverFile(holder=self.holder.token, about=str(self.holder.facts), tracking=self.tracking)
        number = max(self._numbers(), default=0) + 1
        while not self.storage.create(self._path(number), file.dump()):
            number += 1
        self._own = number

    def _withdraw(self) -> None:
        if self._own is not None:
            self.storage.delete(self._path(self._own))
        self._own = None

    def _earlier(self) -> DriverFile | None:
        """A living driver with a lower number."""
        assert self._own is not None
        self.others()
        return next((file for number in self._numbers() if number < self._own and (file := self._read(number))), None)

    def _refusal(self, other: DriverFile) -> str:
        choice = "--wait waits for its end, and --join takes part in it"
        return f"Another command runs {other.about}. {choice}."

    def _numbers(self) -> list[int]:
        names = self.storage.list(f"sweeps/{self.name}")
        return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))

    def _read(self, number: int) -> DriverFile | None:
        return DriverFile.read(self.storage, self._path(number))

    def _path(self, number: int) -> str:
        return f"sweeps/{self.name}/driver-{number}.json"
