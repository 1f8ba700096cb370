"""The scene of a storm: the storage of a sweep, the commands that run it, and the MLflow server behind its proxy."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient

from sweep.records import heartbeats
from sweep.records.heartbeats import Heartbeat
from sweep.records.records import Record, Records
from sweep.records.storage import Storage
from tests.faults.proxy import Proxy
from tests.sweep.commands import start
from tests.sweep.servers import Server


@dataclass
class Disk:
    """A disk of its own for a storage, which can be filled to the last byte. Needs the right to mount."""

    folder: Path
    is_mounted: bool = False

    def mount(self, num_megabytes: int) -> None:
        words = ["mount", "-t", "tmpfs", "-o", f"size={num_megabytes}m", "tmpfs", str(self.folder)]
        self.is_mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        room = os.statvfs(self.folder)
        with (self._filler).open("wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
            self.is_mounted = False

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


@dataclass
class Scene:
    """What the faults act upon."""

    folder: Path
    """The storage."""
    config: Path
    name: str
    draw: random.Random
    server: Server
    proxy: Proxy
    disk: Disk
    command: subprocess.Popen[str] | None = None
    joined: subprocess.Popen[str] | None = None
    outputs: dict[int, Path] = field(default_factory=dict[int, Path])
    """Process -> the file with all that the command said."""
    _later: list[tuple[float, Callable[[], None]]] = field(default_factory=list[tuple[float, Callable[[], None]]])

    def __post_init__(self) -> None:
        self.storage = Storage(str(self.folder))
        self.records = Records(self.storage)
        self.client = MlflowClient(tracking_uri=self.server.url)

    def start(self, *flags: str) -> subprocess.Popen[str]:
        """Gives the sweep's command."""
        output = self.config.with_name(f"{self.name}-{len(self.outputs) + 1}.txt")
        with output.open("w") as file:
            command = start(str(self.config), *flags, storage=self.folder, output=file)
        self.outputs[command.pid] = output
        return command

    def said(self, command: subprocess.Popen[str]) -> str:
        return self.outputs[command.pid].read_text()

    @property
    def is_starting(self) -> bool:
        """Whether a command is alive that does not take part yet: Ray does not stand two starts at once."""
        alive = [each for each in (self.command, self.joined) if each is not None and each.poll() is None]
        registered = {each.process.pid for each in self.holders("driver")}
        return any(each.pid not in registered for each in alive)

    def holders(self, kind: str) -> list[Heartbeat]:
        """The drivers or trials that are at work now, in an order that does not depend on their tokens."""
        with contextlib.suppress(OSError):
            present = heartbeats.present(self.storage).values()
            living = [each for each in present if each.kind == kind and not each.process.has_ended]
            return sorted(living, key=lambda each: each.since)
        return []

    def trial(self) -> Heartbeat | None:
        """A trial that computes something now."""
        trials = [each for each in self.holders("trial") if each.steps]
        return self.draw.choice(trials) if trials else None

    def record(self, trial: Heartbeat) -> Record:
        """A record that the trial computes."""
        identity = self.draw.choice(sorted(trial.steps))
        is_cell = identity in self.records.cells()
        return self.records.cell(identity) if is_cell else self.records.teacher(identity)

    def later(self, least: float, most: float, undo: Callable[[], None]) -> None:
        """Undoes a fault after a while."""
        self._later.append((time.monotonic() + self.draw.uniform(least, most), undo))

    def tick(self, *, at_once: bool = False) -> None:
        """Undoes the faults whose time is over, or all of them."""
        due = [each for each in self._later if at_once or each[0] <= time.monotonic()]
        for each in due:
            self._later.remove(each)
            each[1]()

    def end_joined(self) -> None:
        if self.joined is not None:
            self.joined.kill()
            self.joined.wait()
            self.joined = None

    def end(self) -> None:
        """Ends every process of the scene but the server."""
        self.tick(at_once=True)
        self.end_joined()
        if self.command is not None:
            self.command.kill()
            self.command.wait()
        self.disk.unmount()


def send(process: int, number: signal.Signals) -> None:
    """Sends a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)
