"""Several cells on one card, each in a process of its own: time-sliced, and with NVIDIA's MPS.

python -m benchmarks.processes    one such process: trains, says "ready", waits for a line, then says its speed
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress

from benchmarks.clock import clock
from benchmarks.run import Measured, Run
from benchmarks.setting import make, train
from benchmarks.shapes import shapes
from trainables.metrics import Metrics

NUMBERS = (1, 2, 4)
SECONDS = 4.0
DAEMON = "nvidia-cuda-mps-control"


def processes(run: Run) -> Measured:
    """Steps per second of all processes together, against one."""
    yield from _measured(run, "time-sliced", {})


def mps(run: Run) -> Measured:
    """The same under MPS, whose daemon is started for it, and ended behind it."""
    if run.dry or shutil.which(DAEMON) is None:
        yield "skipped", {"skipped": f"{DAEMON} is not on this machine's PATH" if not run.dry else "a dry run"}
        return
    with _daemon() as environment:
        yield from _measured(run, "MPS", environment)


@contextmanager
def _daemon() -> Generator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        subprocess.run([DAEMON, "-d"], env={**os.environ, **environment}, check=True, timeout=10)
        try:
            yield environment
        finally:
            subprocess.run(
                [DAEMON], input="quit\n", text=True, env={**os.environ, **environment}, check=False, timeout=20
            )


def _measured(run: Run, label: str, environment: dict[str, str]) -> Measured:
    alone = run.results().get("processes", {}).get("1 time-sliced", {}).get("steps_per_second", 0.0)
    for number in NUMBERS if not run.dry else (1, 2):
        speed = _together(run, number, environment)
        alone = alone or speed
        yield f"{number} {label}", {"speed_against_one": speed / alone, "steps_per_second": speed}


def _together(run: Run, number: int, environment: dict[str, str]) -> float:
    command = [sys.executable, "-m", "benchmarks.processes", *(["--dry"] if run.dry else [])]
    started = [
        subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(number)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("a process ended before it was ready")
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return sum(float(process.communicate(timeout=60)[0]) for process in started)
    finally:
        for process in started:
            process.kill()


class _Over(Exception):
    """The time is over."""


def main() -> None:
    """One process: its steps per second on standard output."""
    dry = "--dry" in sys.argv
    setting = make(shapes(dry=dry)["bert-base"], "bf16", num_examples=2048)
    begun, steps, first = 0.0, 0, 3 if dry else 10

    def each(step: int, _metrics: Metrics) -> None:
        nonlocal begun, steps
        if step == first:
            print("ready", flush=True)
            sys.stdin.readline()
            begun = clock(setting.device)
        elif step > first and clock(setting.device) - begun < (0.5 if dry else SECONDS):
            steps = step - first
        elif step > first:
            raise _Over

    with suppress(_Over):
        train(setting, 199, each)
    print(steps / (clock(setting.device) - begun))


if __name__ == "__main__":
    main()
