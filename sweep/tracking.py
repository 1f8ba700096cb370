"""Records drawn in MLflow: one parent run a sweep, under it one run a cell and one a teacher.

A run shows one attempt of one record. Everything in it can be drawn again from the record, and drawing again
changes nothing: points are sent with the time they were measured at, which MLflow stores once. MLflow is
imported when it is first used.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, ParamSpec, TypeVar

from sweep import environment
from sweep.passwords import hidden
from sweep.records import Record
from sweep.runs import DESCRIPTION, Point, RunSpec, identity_tag, mapping_params, read_points, result_tags
from trainables import predictions

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Status = Literal["FINISHED", "FAILED", "KILLED"]
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

CLIENT_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is out costs 4 seconds a call, not 4 minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
ARTIFACTS = ("angles.npz", "per_state.json", predictions.FILE)
MAX_ARTIFACT_BYTES = 10_000_000
"""What is larger stays in the storage alone: large uploads through a server run into its time limits."""
MAX_POINTS = 1000
MAX_PARAMS = 100
MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 8000
PARENT = "mlflow.parentRunId"


class TrackingError(RuntimeError):
    """The tracking server does not answer, or refuses."""


class Opened(NamedTuple):
    run_id: str
    ended: bool


def guarded(method: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Raises TrackingError where MLflow, its server or its files refuse."""

    @functools.wraps(method)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        _prepare()
        from mlflow.exceptions import MlflowException

        try:
            return method(*args, **kwargs)
        except (MlflowException, OSError) as error:
            raise TrackingError(hidden(str(error).splitlines()[0] if str(error) else repr(error))) from error

    return call


@dataclass(frozen=True)
class Tracking:
    """One experiment of one tracking server or database. Can be pickled. Methods raise TrackingError."""

    uri: str
    experiment: str
    artifacts: str | None = None
    """Where a tracking URI that is a database keeps artifacts; a server has a place of its own."""

    @guarded
    def open_sweep(self, tags: Mapping[str, str], description: str, artifacts: Mapping[str, str]) -> str:
        """The parent run of the sweep, RUNNING; `artifacts` are texts by file name.

        Makes the experiment, so it is for the driver alone. A sweep that is continued goes on in its old run,
        and runs that a dead process left RUNNING under it are ended.
        """
        experiment_id = self._make_experiment()
        about = {**tags, "kind": "sweep", "host": environment.host(), DESCRIPTION: description}
        found = next(self._search("tags.kind = 'sweep'"), None)
        if found is None:
            run_id = self.client.create_run(experiment_id, tags=about, run_name=self.experiment).info.run_id
        else:
            run_id = found.info.run_id
            self.client.update_run(run_id, status="RUNNING")
            self._log(run_id, tags=about)
            if "reason" in found.data.tags:
                self.client.delete_tag(run_id, "reason")
            for child in self._search(f"attributes.status = 'RUNNING' and tags.`{PARENT}` = '{run_id}'"):
                self._end(child.info.run_id, "FAILED", reason="cut off")
        for name, text in artifacts.items():
            self.client.log_text(run_id, text, name)
        return run_id

    @guarded
    def tag_experiment(self, tags: Mapping[str, str]) -> None:
        """Sets tags of the experiment: the ready-made views of its runs."""
        for key, value in tags.items():
            self.client.set_experiment_tag(self.experiment_id, key, value)

    @guarded
    def open_run(self, run: RunSpec, record: Record, attempt: int | None) -> Opened:
        """The run that shows this attempt; one that shows another attempt of the record is replaced."""
        about = record.attempt(attempt) if attempt else record.result() or {}
        where = f"tags.{identity_tag(run.kind)} = '{run.identity}' and tags.kind = '{run.kind}'"
        for found in self._search(f"{where} and tags.`{PARENT}` = '{run.parent}'"):
            if found.info.start_time == about["time"]:
                self._log(found.info.run_id, params=_without(run.params, found.data.params))
                return Opened(found.info.run_id, found.info.status != "RUNNING")
            self.client.delete_run(found.info.run_id)
        tags = {**run.tags, "kind": run.kind, identity_tag(run.kind): run.identity, PARENT: run.parent}
        tags |= {name: about[name] for name in ("host", "computed_by") if name in about}
        created = self.client.create_run(self.experiment_id, about["time"], tags, run.name)
        self._log(created.info.run_id, params=run.params)
        return Opened(created.info.run_id, ended=False)

    @guarded
    def send(self, run_id: str, points: Sequence[Point]) -> None:
        """Up to 1,000 points in one request; points that are there already change nothing."""
        assert len(points) <= MAX_POINTS
        self._log(run_id, points=points)

    @guarded
    def conclude(self, run_id: str, record: Record, sent: Iterable[str], left_out: Sequence[str]) -> None:
        """Ends a run as its record ended. `sent`: metrics that the journal has brought already."""
        if left_out:
            self._log(run_id, tags={"not_finite": f"{len(left_out)} values left out: {', '.join(left_out)}"})
        result = record.result()
        if result is None:
            failure = record.last_failure() or {"reason": "cut off", "traceback": "", "time": None}
            self._end(run_id, "FAILED", failure["reason"], failure["traceback"], failure["time"])
            return
        points, _ = read_points(
            [{"step": result.get("steps", 0), "time": result["time"], "metrics": result["metrics"]}]
        )
        known = set(sent)
        self._log(
            run_id,
            points=[point for point in points if point.key not in known],
            params=mapping_params(result),
            tags=result_tags(result, record),
        )
        for name in ARTIFACTS:
            file = record.path(name)
            if file and file.stat().st_size <= MAX_ARTIFACT_BYTES:
                self.client.log_artifact(run_id, str(file))
        self._end(run_id, "FINISHED", time=result["time"])

    def fill(self, run: RunSpec, record: Record) -> str:
        """Draws the whole run of a record that has come to an end; returns the run's id."""
        opened = self.open_run(run, record, record.shown_attempt())
        if not opened.ended:
            points, left_out = read_points(record.journal())
            for start in range(0, len(points), MAX_POINTS):
                self.send(opened.run_id, points[start : start + MAX_POINTS])
            self.conclude(opened.run_id, record, {point.key for point in points}, left_out)
        return opened.run_id

    def fill_missing(self, parent: str, runs: Iterable[tuple[RunSpec, Record]]) -> int:
        """Draws those runs of ended records that do not stand under the parent yet; returns how many."""
        standing = self.ended(parent)
        missing = [
            (run, record)
            for run, record in runs
            if (end := record.result() or record.last_failure()) and (run.identity, end["time"]) not in standing
        ]
        for run, record in missing:
            self.fill(run, record)
        return len(missing)

    @guarded
    def ended(self, parent: str) -> dict[tuple[str, int], str]:
        """Identity and end time of each run under the parent that shows its record to the end -> the run's id."""
        return {
            (run.data.tags.get(identity_tag(run.data.tags["kind"]), ""), run.info.end_time or 0): run.info.run_id
            for run in self._search(f"attributes.status != 'RUNNING' and tags.`{PARENT}` = '{parent}'")
        }

    @guarded
    def finish(self, run_id: str, status: Status, reason: str | None = None, traceback: str | None = None) -> None:
        """Ends a run, with the reason as a tag and the traceback as an artifact where it failed."""
        self._end(run_id, status, reason, traceback)

    @guarded
    def add_artifact(self, run_id: str, file: Path) -> None:
        self.client.log_artifact(run_id, str(file))

    @guarded
    def add_metrics(self, run_id: str, metrics: Mapping[str, float], step: int, time: int) -> None:
        """Metrics of the sweep itself."""
        points, _ = read_points([{"step": step, "time": time, "metrics": dict(metrics)}])
        self._log(run_id, points=points)

    @contextmanager
    def system_metrics(self, run_id: str) -> Generator[None]:
        """Logs CPU, memory, disk, network and GPUs of this host to a run, every 10 seconds, in the background.

        Ends by itself, with nothing said, where the server does not answer.
        """
        _prepare()
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)
        monitor = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=self.uri)
        monitor.start()
        try:
            yield
        finally:
            monitor.finish()

    @property
    def client(self) -> MlflowClient:
        return _connect(self.uri)

    @cached_property
    def experiment_id(self) -> str:
        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            raise TrackingError(f"{hidden(self.uri)} has no experiment {self.experiment!r}")
        return found.experiment_id

    def _make_experiment(self) -> str:
        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            place = None if self.uri.startswith("http") else self.artifacts
            return self.client.create_experiment(self.experiment, artifact_location=place)
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
        """One request, or more where there are more params than one takes."""
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
            self._log(run_id, tags={"reason": reason})
        if traceback:
            self.client.log_text(run_id, traceback, "traceback.txt")
        self.client.set_terminated(run_id, status, time)


@cache
def _prepare() -> None:
    """Sets what MLflow reads from the environment, where nobody else has, before it is imported."""
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@cache
def _connect(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _without(params: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in params.items() if key not in known}
