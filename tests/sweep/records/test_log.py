"""The log in the storage: there while the process works, and one file for each attempt of a process."""

from __future__ import annotations

import calendar
import io
import logging
import re
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
from rich.console import Console

from sweep.records import log
from sweep.records.storage import Storage

CELL = logging.getLogger("trainables.distill")
DRIVER = logging.getLogger("sweep.conduct")


def messages(storage: Storage, path: str) -> list[str]:
    """The lines of a log without their time."""
    return [line.partition("Z ")[2] for line in (storage.read(path) or b"").decode().splitlines()]


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_each_context_has_a_file_of_its_own(kind: str, tmp_path: Path) -> None:
    storage = Storage(str(tmp_path) if kind == "folder" else f"memory://{uuid4().hex}")
    for number in (1, 2):
        with log.stored(storage, f"cells/x/attempts/{number}/log.txt"):
            CELL.info("step %d", number)
            DRIVER.warning("late")
            CELL.debug("nobody reads this")
        CELL.info("between two attempts")
    for number in (1, 2):
        assert messages(storage, f"cells/x/attempts/{number}/log.txt") == [
            f"INFO    trainables.distill: step {number}",
            "WARNING sweep.conduct: late",
        ]
    assert [logging.getLogger(name).level for name in log.PACKAGES] == [logging.NOTSET] * 2


def test_a_line_has_its_time_in_utc(tmp_path: Path) -> None:
    before = time.time()
    with log.stored(Storage(str(tmp_path)), "1/log.txt"):
        CELL.info("now")
    stamp, milliseconds, rest = re.split(r"[.Z]", (tmp_path / "1" / "log.txt").read_text(), maxsplit=2)
    seconds = calendar.timegm(time.strptime(stamp, "%Y-%m-%d %H:%M:%S"))
    assert before - 0.001 <= seconds + int(milliseconds) / 1000 <= time.time()
    assert rest == " INFO    trainables.distill: now\n"


def test_what_was_logged_is_there_after_a_kill(tmp_path: Path) -> None:
    code = (
        "import logging, os, signal, sys; from sweep.records import log; from sweep.records.storage import Storage\n"
        f"with log.stored(Storage({str(tmp_path)!r}), 'attempts/1/log.txt'):\n"
        "    logging.getLogger('trainables.loop').info('the last words')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert messages(Storage(str(tmp_path)), "attempts/1/log.txt") == ["INFO    trainables.loop: the last words"]


def test_a_remote_log_is_there_before_its_end_and_outlives_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "COPY_SECONDS", 0.02)
    storage, writes = Storage(f"memory://{uuid4().hex}"), 0

    class Flaky(Storage):
        def write(self, path: str, data: bytes) -> None:
            nonlocal writes
            writes += 1
            if writes == 1:
                raise OSError("no answer")
            super().write(path, data)

    with log.stored(Flaky(storage.url), "attempts/1/log.txt"):
        CELL.info("first")
        deadline = time.monotonic() + 300
        while not messages(storage, "attempts/1/log.txt"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.1)
        assert writes == 2  # nothing new, nothing sent
        CELL.info("second")
    assert messages(storage, "attempts/1/log.txt") == [
        f"INFO    trainables.distill: {word}" for word in ("first", "second")
    ]


def test_the_terminal_shows_it_line_by_line() -> None:
    console = Console(file=io.StringIO(), width=20)
    with log.attached(log.Terminal(console)):
        DRIVER.info("[bold]a line that is longer than the terminal is wide")
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert shown.endswith("Z INFO    sweep.conduct: [bold]a line that is longer than the terminal is wide\n")
