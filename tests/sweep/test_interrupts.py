"""A process that is interrupted, and interrupted again while it ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

TWICE = """
import os, subprocess, sys, time
from unittest.mock import MagicMock
from sweep import conduct, interrupts

def interrupt():
    os.kill(os.getpid(), {number})
    time.sleep(20)

subprocess.Popen(["sleep", "600"])  # holds the pipes open as long as it lives

class Conductor:
    def __init__(self, *_):
        self.at_end = conduct.contextlib.ExitStack()
    run = interrupted = staticmethod(interrupt)

conduct.Conductor, conduct.drivers_of = Conductor, MagicMock()
conduct.drivers_of.return_value.has_waited = False
interrupts.listen()
conduct.run(MagicMock(), None, MagicMock(), [], conduct.Console(), MagicMock())
"""
AT_THE_END = """
import atexit, os, runpy, sys, time

def interrupt():
    os.kill(os.getpid(), {number})
    time.sleep(20)

atexit.register(interrupt)
import sweep.plan.checks
sweep.plan.checks.prepare = lambda *_, **__: interrupt()
sys.argv = ["sweep/run.py"]
runpy.run_module("sweep.run", run_name="__main__")
"""


@pytest.mark.parametrize("code", [TWICE, AT_THE_END], ids=["in order", "at the end of the process"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_another_interrupt_ends_at_once_and_without_a_traceback(code: str, number: signal.Signals) -> None:
    command = [sys.executable, "-c", code.format(number=number.value)]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        # As at a terminal: what a shell puts into the background starts with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert ended.returncode == 130
    assert "Traceback" not in ended.stderr
    assert ended.stderr.endswith("\nInterrupted again: ended at once. The same command continues.\n")
