"""Runs the jobs of a plan as Ray Tune trials: resources, failures, reuse of workers, live progress."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.tune.experiment import Trial

from sweep.jobs import deaths
from sweep.jobs.demand import Demand
from sweep.jobs.order import AfterTeachers, NewestFirst
from sweep.jobs.progress import ENDED, PROGRESS
from sweep.jobs.room import num_at_once
from sweep.records.processes import is_writer_gone, writer
from sweep.spec.sweep import SweepConfig
from trainables.deadline import ANSWER_SECONDS
from trainables.errors import InputError, Problem

logger = logging.getLogger(__name__)

Trainable = Callable[..., None]
Names = Mapping[str, Mapping[str, str]]
"""Job -> the identity of each cell or teacher that it makes -> a short name."""

OBJECT_STORE_BYTES = 256 * 2**20
"""The object store of a Ray that this module starts. It holds only the data of tasks."""

START_TRIES = 5
"""How often Ray is started. Ray gives up its own start after 30 s, which a busy machine may need."""

QUIET: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}

FOLDER = "sweep-tune-"
"""Starts the name of Tune's folder, which nothing is read from."""

ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial without a GPU sees no GPU
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's handler makes an interrupted `fit` look finished
    "TUNE_GLOBAL_CHECKPOINT_S": "600",  # the state of Tune is not used: a sweep resumes from its records
}


class Watcher(Protocol):
    """Takes what happens to cells and teachers, by their short names."""

    def started(self, name: str) -> None: ...
    def update(self, name: str, step: int, loss: float | None) -> None: ...
    def finished(self, name: str) -> None: ...
    def failed(self, name: str, reason: str) -> None: ...
    def left(self, name: str) -> None: ...


def connect(address: str | None) -> None:
    """Connects to the Ray at `address`, else to that of the job, else starts one on this machine. Raises InputError."""
    os.environ.update({name: value for name, value in ENVIRONMENT.items() if name not in os.environ})
    source, address = ("--address", address) if address else ("RAY_ADDRESS", os.environ.get("RAY_ADDRESS"))
    if not address:
        start()
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if host and port.isdecimal():  # Ray itself would ask for minutes
            socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()
        ray.init(address=address, **QUIET)
    except (OSError, OverflowError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError([Problem(source, f"got {address!r}; no Ray answers there: {reason}")]) from None


def start(num_cpus: int | None = None) -> None:
    """Starts Ray on this machine, with all its CPUs or with so many. Raises InputError."""
    options = {"num_cpus": num_cpus, "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    reason = ""
    for number in range(1, START_TRIES + 1):
        try:
            ray.init(address="local", **options, **QUIET)
            return
        except Exception as error:  # Ray raises nothing more specific where its processes are slow to start
            reason = str(error).strip().split("\n")[0]
            logger.warning("Ray does not start (try %d of %d): %s", number, START_TRIES, reason)
    raise InputError([Problem("", f"Ray does not start on this machine in {START_TRIES} tries: {reason}")])


@dataclass
class Ends:
    """How cells and teachers ended, by identity."""

    facts: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    errors: dict[str, str] = field(default_factory=dict[str, str])
    has_recovered: bool = False
    """Whether a worker has died."""

    def is_done(self, identity: str) -> bool:
        return identity in self.facts and self.facts[identity]["done"]


class WatcherCallback(tune.Callback):
    """Passes the events of trials on to a watcher. Raises nothing, because an exception here would end all trials."""

    def __init__(self, watcher: Watcher, names: Names, ends: Ends, tell_failure: Callable[[str, str], None]) -> None:
        """`tell_failure` takes the identity of each cell or teacher whose trial has failed, and the failure."""
        self.watcher, self.names, self.ends, self.tell_failure = watcher, names, ends, tell_failure

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles callbacks for a restore, which never happens, and a live terminal cannot be pickled."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        for identity, name in self._names(trial).items():
            logger.info("%s begins (%s)", name, identity)
            self.watcher.started(name)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        # Copies, because Tune changes its own at the end.
        self.ends.facts |= {identity: {**facts} for identity, facts in result.get(ENDED, {}).items()}
        for identity, (step, loss) in result.get(PROGRESS, {}).items():
            self.watcher.update(self._names(trial)[identity], step, loss)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        for identity, name in self._names(trial).items():
            end = self.ends.facts.get(identity)
            if end is None:
                continue
            if end["done"]:
                logger.info("%s is done", name)
                self.watcher.finished(name)
            elif end["elsewhere"]:
                logger.info("%s is left: %s", name, end["elsewhere"])
                self.watcher.left(name)
            else:
                logger.warning("%s has failed by itself: %s", name, end["reason"])
                self.watcher.failed(name, end["reason"])

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self.ends.has_recovered = True
        failure = deaths.last_failure(trial)
        for identity, name in self._names(trial).items():
            logger.warning("%s is tried again after %s", name, failure)
            self.tell_failure(identity, failure)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self.ends.has_recovered = True
        failure = deaths.last_failure(trial)
        for identity, name in self._names(trial).items():
            logger.error("%s is not tried again after %s", name, failure)
            self.tell_failure(identity, failure)
            self.ends.errors[identity] = deaths.in_short(failure)
            self.watcher.failed(name, deaths.in_short(failure))

    def _names(self, trial: Trial) -> Mapping[str, str]:
        return self.names[trial.config["job"]]


def clean() -> None:
    """Removes the folders that drivers of this machine have left when they were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        name = folder.name.removeprefix(FOLDER).rpartition("-")[0]
        if is_writer_gone(name):
            shutil.rmtree(folder, ignore_errors=True)


def run(
    trainable: Trainable,
    names: Names,
    config: SweepConfig,
    watcher: Watcher,
    needs: Mapping[str, str] | None = None,
    until: Mapping[str, Collection[str]] | None = None,
    tell_failure: Callable[[str, str], None] = lambda identity, failure: None,
    **parameters: Any,
) -> Ends:
    """Runs one trial per job, in their order; `parameters` are passed to the trainable.

    `needs` maps a job to the job that it waits for. If that one fails, the waiting job never starts. `until` maps a job
    to other jobs; it is stopped at its next report after one of them has come to an end.

    A trial whose worker dies is tried again up to `failures.max_failures` times, and ends no other trial.
    `tell_failure`: as in `WatcherCallback`.
    """
    ends = Ends()
    resources = {"cpu": config.resources.cpus, "gpu": config.resources.gpus}
    demand = Demand(config.resources)
    order = AfterTeachers(needs or {}, ends.is_done, partial(num_at_once, config.resources), demand.ask)
    scheduler = NewestFirst(lambda job: order.has_ended((until or {}).get(job, ())))
    clean()
    with tempfile.TemporaryDirectory(prefix=f"{FOLDER}{writer()}-") as folder, ExitStack() as at_end:
        at_end.callback(demand.withdraw)
        at_end.enter_context(deaths.known_to_tune())
        tune.Tuner(
            tune.with_resources(tune.with_parameters(trainable, **parameters), resources),
            param_space={"job": tune.grid_search(list(names))},
            tune_config=tune.TuneConfig(reuse_actors=True, search_alg=order, scheduler=scheduler),
            run_config=tune.RunConfig(
                name=config.name,
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=config.failures.max_failures),
                callbacks=[WatcherCallback(watcher, names, ends, tell_failure)],
            ),
        ).fit()
    return ends
