"""Interrupts: the first lets the command end in order, another ends the process at once. Both without a traceback."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

import psutil

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STATUS = 130

Handler = Callable[[int, FrameType | None], None]


def first(number: int, frame: FrameType | None) -> NoReturn:
    """Raises KeyboardInterrupt; from then on another interrupt ends the process."""
    listen(at_once)
    raise KeyboardInterrupt


def at_once(number: int, frame: FrameType | None) -> NoReturn:
    """Ends the process where it stands, with those that it started, Ray's too: the records need no end in order."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    os.write(2, b"\nInterrupted again: ended at once. The same command continues.\n")
    os._exit(STATUS)


def listen(handler: Handler = first) -> None:
    """Gives both signals to the handler, but for one that the process was started to ignore."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


@contextmanager
def handled() -> Generator[None]:
    """Listens, and gives the signals back to who had them."""
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    listen()
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
