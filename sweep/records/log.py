"""The log of a sweep, which shows after a hang or a failure what was done last.

    cells/<fingerprint>/attempts/<n>/log.txt   what the worker of an attempt did; the same below teachers/<hash>/
    sweeps/<name>/logs/<start>.txt             what the command that was started at that time (UTC) did

Both packages log below their own names. Their lines are written only while one of the contexts here is open, so that
a worker that makes several attempts logs each of them to its own file.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from sweep.records.storage import Storage

FILE = "log.txt"
"""The name of an attempt's log in its folder."""

PACKAGES = ("sweep", "trainables")
COPY_SECONDS = 10.0
"""The interval at which a log is copied to a remote storage, and so the most that a killed process loses."""


@contextmanager
def attached(handler: logging.Handler) -> Generator[None]:
    """Sends the log of both packages, from INFO upwards, to a handler, which is closed at the end."""
    formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    formatter.default_msec_format = "%s.%03dZ"
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    loggers = [logging.getLogger(package) for package in PACKAGES]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.close()


@contextmanager
def stored(storage: Storage, path: str) -> Generator[None]:
    """Writes the log to a file of the storage.

    In a local storage, every line is in the file at once and stays there if the process is killed. A remote storage
    cannot append, so the file is written again every `COPY_SECONDS` and at the end.
    """
    if storage.is_local:
        folder, _, name = path.rpartition("/")
        with attached(logging.FileHandler(storage.workspace(folder) / name, encoding="utf-8")):
            yield
        return
    lines = io.StringIO()
    with _copied(lines, storage, path), attached(logging.StreamHandler(lines)):
        yield


@contextmanager
def _copied(lines: io.StringIO, storage: Storage, path: str) -> Generator[None]:
    """Copies the lines to the storage in the background; an error of the storage ends nothing."""
    ended = threading.Event()

    def copy() -> None:
        num_copied, is_last = 0, False
        while not is_last:
            is_last = ended.wait(COPY_SECONDS)
            text = lines.getvalue()
            if len(text) > num_copied:
                with contextlib.suppress(OSError):  # the next copy includes these lines
                    storage.write(path, text.encode())
                    num_copied = len(text)

    thread = threading.Thread(target=copy, name="log", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def start_name() -> str:
    """The name of the log file of a command that starts now: `20261127T112003.txt`."""
    return time.strftime("%Y%m%dT%H%M%S.txt", time.gmtime())


class Terminal(logging.Handler):
    """Shows the log on a console, above the lines that are redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(Text(self.format(record), style="dim"), soft_wrap=True)
