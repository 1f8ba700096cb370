"""A stand-in for Ray that starts at once: one worker per trial, forked from a process that has everything loaded.

As with Ray, a trial whose worker dies is tried again, and workers end with the command.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

from ray import tune

from sweep.jobs import room, work
from sweep.jobs.attempts import Context
from sweep.jobs.work import Job, Left
from sweep.report.terminal import LiveProgress
from sweep.spec.sweep import SweepConfig
from trainables.tasks.rows import Data


def install(prepare: Callable[[], None]) -> None:
    """Lets the command in this process, which has no other thread yet, use this in place of Ray.

    `prepare` is called in each worker first.
    """
    ours, theirs = Pipe()
    if os.fork() == 0:
        ours.close()
        _serve(theirs, prepare)
    theirs.close()
    work.connected = lambda *_: nullcontext()  # type: ignore[assignment]
    work.make = _Trials(ours).make  # type: ignore[assignment]
    room.num_at_once = lambda _: 1
    room.num_bytes = lambda _: None


class _Trials:
    """Takes the place of `sweep.jobs.work.make`."""

    def __init__(self, workers: Connection) -> None:
        self.workers = workers

    def make(
        self,
        jobs: Iterable[Job],
        config: SweepConfig,
        context: Context,
        data: Mapping[str, Data],
        progress: LiveProgress,
    ) -> Left:
        facts: dict[str, dict[str, Any]] = {}
        has_recovered = False
        every = list(jobs)
        names = {job.name for job in every}
        for job in every:
            if job.needs in names and not facts.get(job.needs or "", {"done": False})["done"]:
                continue
            for _ in range(1 + config.failures.max_failures):
                self.workers.send((job, context, data[job.data]))
                ends = self.workers.recv()
                if ends is not None:
                    facts |= ends
                    break
                has_recovered = True
        return Left(
            num_late=sum(not each["delivered"] for each in facts.values()),
            elsewhere={identity: each["elsewhere"] for identity, each in facts.items() if each["elsewhere"]},
            has_recovered=has_recovered,
        )


def _serve(commands: Connection, prepare: Callable[[], None]) -> None:
    """Forks a worker for each job and returns what it sends; None if it dies. Ends with the command."""
    try:
        while True:
            job = commands.recv()
            ours, theirs = Pipe()
            worker = os.fork()
            if worker == 0:
                ours.close()
                _work(job, theirs, prepare)
            theirs.close()
            if commands in wait([commands, ours]):  # the command has died: it sends nothing meanwhile
                os.kill(worker, signal.SIGKILL)
            try:
                ends = ours.recv()
            except EOFError:
                ends = None
            os.waitpid(worker, 0)
            commands.send(ends)
    except (EOFError, OSError):
        os._exit(0)


def _work(job: tuple[Job, Context, Data], answers: Connection, prepare: Callable[[], None]) -> None:
    prepare()
    tune.report = lambda _: None  # type: ignore[assignment]
    try:
        ends = job[0].make(*job[1:])
        answers.send({identity: end.facts() for identity, end in ends.items()})
    except OSError:
        os._exit(1)  # Tune tries it again
    os._exit(0)
