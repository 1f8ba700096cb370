"""The command of a sweep in a process of its own, with a fault that strikes at a chosen write or request.

Because a fault is bound to what a process does and not to a moment, a schedule of faults gives the same each time.
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mlflow.exceptions import MlflowException

from sweep import run
from sweep.jobs import attempts
from sweep.report import page
from sweep.tracking import experiment
from tests.faults import small_ray
from tests.faults.cuts import forkserver
from trainables import clock

LOADED = (
    "mlflow.store.tracking.sqlalchemy_store",
    "sweep.conduct",
    "sweep.jobs.teachers",
    "sweep.jobs.trial",
    "sweep.making",
    "sweep.report.report",
    "trainables.distill",
    "trainables.finetune",
    "tests.faults.faulty",
)
forkserver.set_forkserver_preload(list(LOADED))
Process = Literal["driver", "worker"]


@dataclass(frozen=True)
class Fault:
    """What happens in one of the processes of a command."""

    process: Process
    kind: Literal["killed", "interrupted", "disk full", "MLflow refuses"]
    number: int
    """The write to the storage, or the request to MLflow, at which it happens; a worker counts its own."""

    def strike(self, driver: int) -> None:
        """Prepares the fault in this process. `driver`: the process of the command."""
        if self.kind == "MLflow refuses":
            connect, numbers = experiment._connect, itertools.count(1)
            experiment._connect = lambda uri: _Refusing(connect(uri), self.number, numbers)  # type: ignore[assignment]
            return
        numbers = itertools.count(1)
        os.link = partial(self._write, os.link, numbers, driver)  # type: ignore[assignment]
        os.replace = partial(self._write, os.replace, numbers, driver)  # type: ignore[assignment]

    def _write(
        self, write: Callable[[Any, Any], None], numbers: itertools.count[int], driver: int, source: Any, target: Any
    ) -> None:
        """The end of a write: the content is in a temporary file, and does not have its name yet."""
        if Path(source).name.startswith("."):
            number = next(numbers)
            if self.kind == "interrupted" and number == self.number:
                os.kill(driver, signal.SIGINT)
            if self.kind != "disk full" and number == self.number:
                os.kill(os.getpid(), signal.SIGKILL)  # as Ray does with the workers of an interrupted command
            if self.kind == "disk full" and number >= self.number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        write(source, target)


class _Refusing:
    """A client of MLflow that answers so many requests, and then refuses each."""

    def __init__(self, client: Any, most: int, numbers: itertools.count[int]) -> None:
        self._client, self._most, self._numbers = client, most, numbers

    def __getattr__(self, name: str) -> Any:
        if next(self._numbers) > self._most:
            raise MlflowException("no answer")
        return getattr(self._client, name)


@dataclass(frozen=True)
class Command:
    """The command of a sweep in a folder."""

    folder: Path
    words: tuple[str, ...]
    fault: Fault | None = None
    bugs: tuple[Callable[[], None], ...] = ()
    """Each plants a bug in the workers."""

    def start(self) -> Any:
        process = forkserver.Process(target=self._run)
        process.start()
        return process

    def _run(self) -> None:
        os.environ["SWEEP_STORAGE"] = str(self.folder / "runs")
        for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS"):
            os.environ.pop(name, None)
        output = os.open(self.folder / "output.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        clock.MOST_SHARE = 1.0  # a checkpoint after each step
        attempts.CLOSE_SECONDS = 1.0  # an MLflow that refuses does so to the end
        page.write = lambda _: page.ReportFiles("", "")  # which takes seconds
        driver = os.getpid()
        small_ray.install(partial(self._prepare_worker, driver))
        if self.fault and self.fault.process == "driver":
            self.fault.strike(driver)
        sys.exit(run.main([str(self.folder / "sweep.yaml"), *self.words]))

    def _prepare_worker(self, driver: int) -> None:
        for plant in self.bugs:
            plant()
        if self.fault and self.fault.process == "worker":
            self.fault.strike(driver)
