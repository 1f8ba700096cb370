"""A process as other processes know it: where it runs, and whether it has ended.

A number alone names no process: another machine, another container and a later process may have the same one.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel

from sweep.records import environment

_ENDED = ("Z", "X")
"""The states of a process that has ended, in proc(5): its parent may not know yet."""


class Process(BaseModel, frozen=True):
    """One process of one machine since its boot."""

    host: str
    machine: str | None
    """See `machine`."""
    pid: int
    started: int | None
    """Clock ticks from the boot to its start; None where the system does not tell."""

    @classmethod
    def here(cls) -> Self:
        """The process that calls this."""
        return cls(host=environment.host(), machine=machine(), pid=os.getpid(), started=_start(os.getpid()))

    @property
    def is_near(self) -> bool:
        """Whether this machine, and not another one or another container, can tell whether it has ended."""
        return self.machine is not None and self.machine == machine()

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended; False where this machine cannot tell."""
        return self.is_near and _start(self.pid) != self.started

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"


@cache
def machine() -> str | None:
    """What all processes share that see each other's numbers: the boot and the PID namespace; None where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:16]


def writer() -> str:
    """What names this process in a file that it writes under a temporary name."""
    return f"{machine() or environment.host()}-{os.getpid()}"


def is_writer_gone(writer: str) -> bool:
    """Whether the process that `writer` names is known to have ended."""
    where, _, pid = writer.rpartition("-")
    return where == machine() and pid.isdecimal() and _start(int(pid)) is None


def _start(pid: int) -> int | None:
    """When the process started, in clock ticks since the boot; None if there is none, or if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in _ENDED else int(fields[19])
