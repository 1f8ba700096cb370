"""One experiment of an MLflow server or database, with the few requests that a sweep makes.

MLflow is imported when it is first used.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

from sweep.spec.passwords import without_passwords
from sweep.tracking.runs import Point
from sweep.tracking.tags import REASON

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Status = Literal["FINISHED", "FAILED", "KILLED"]
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

CLIENT_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is out costs 4 seconds per call, not 4 minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
MAX_POINTS = 1000
MAX_PARAMS = 100
MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 8000


class TrackingError(RuntimeError):
    """The tracking server does not answer, or refuses a request."""


def guarded(method: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Raises TrackingError if MLflow, its server or its files fail."""

    @functools.wraps(method)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        prepare()
        from mlflow.exceptions import MlflowException

        try:
            return method(*args, **kwargs)
        except (MlflowException, OSError) as error:
            raise TrackingError(without_passwords(str(error).splitlines()[0] if str(error) else repr(error))) from error

    return call


@dataclass(frozen=True)
class Experiment:
    """Can be pickled. Methods raise what MLflow raises; `guarded` ones raise TrackingError."""

    uri: str
    experiment: str
    artifacts: str | None = None
    """The place of artifacts if the tracking URI is a database; a server has its own."""

    @property
    def client(self) -> MlflowClient:
        return _connect(self.uri)

    @cached_property
    def experiment_id(self) -> str:
        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            raise TrackingError(f"{without_passwords(self.uri)} has no experiment {self.experiment!r}")
        return found.experiment_id

    def _make_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            place = None if self.uri.startswith("http") else self.artifacts
            try:
                return self.client.create_experiment(self.experiment, artifact_location=place)
            except MlflowException:
                if found := self.client.get_experiment_by_name(self.experiment):  # another driver was faster
                    return found.experiment_id
                raise
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def _search(self, where: str) -> Iterator[Run]:
        token: str | None = None
        while token != "":
            page = self.client.search_runs([self.experiment_id], where, max_results=1000, page_token=token)
            yield from page
            token = page.token or ""

    def _log(
        self,
        run_id: str,
        points: Sequence[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Makes one request, or several if there are more params than one request may have."""
        from mlflow.entities import Metric, Param, RunTag

        all_params = [Param(key, value[:MAX_PARAM_LENGTH]) for key, value in (params or {}).items()]
        all_tags = [RunTag(key, value[:MAX_TAG_LENGTH]) for key, value in (tags or {}).items()]
        metrics = [Metric(point.key, point.value, point.time, point.step) for point in points]
        for start in range(0, max(len(all_params), 1), MAX_PARAMS):
            part = all_params[start : start + MAX_PARAMS]
            if metrics or part or all_tags:
                self.client.log_batch(run_id, metrics, part, all_tags)
            metrics, all_tags = [], []

    def _end(
        self,
        run_id: str,
        status: Status,
        reason: str | None = None,
        traceback: str | None = None,
        time: int | None = None,
    ) -> None:
        if reason:
            self._log(run_id, tags={REASON: reason})
        if traceback:
            self.client.log_text(run_id, traceback, "traceback.txt")
        self.client.set_terminated(run_id, status, time)

    @contextmanager
    def system_metrics(self, run_id: str) -> Generator[None]:
        """Logs CPU, memory, disk, network and GPUs of this host to a run, every 10 seconds, in the background.

        Ends by itself, without a message, if the server does not answer.
        """
        prepare()
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)
        monitor = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=self.uri)
        monitor.start()
        try:
            yield
        finally:
            monitor.finish()


@cache
def prepare() -> None:
    """Sets the environment variables of MLflow that are not set yet, before it is imported."""
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def preload() -> None:
    """Loads MLflow in a thread of its own, for a process that needs it in a few seconds and waits until then."""
    prepare()
    Thread(target=import_module, args=("mlflow",), daemon=True).start()


@cache
def _connect(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)
