"""Draws records in MLflow: one parent run per sweep, and under it one run per cell and per teacher.

A run shows one attempt of a record, with the attempts that it continues. It can be drawn again from the record at any
time, and this changes nothing: every point has the time of its measurement, and MLflow stores equal points once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.records import environment
from sweep.records.records import Record, Records
from sweep.records.stored import TeacherResult
from sweep.tracking.experiment import MAX_POINTS, Experiment, Status, guarded
from sweep.tracking.runs import Point, RunSpec, read_points, result_params, result_tags
from sweep.tracking.scores import score_metrics
from sweep.tracking.tags import (
    CELL_KIND,
    COMPUTED_BY,
    DESCRIPTION,
    HOST,
    KIND,
    NOT_FINITE,
    PARENT,
    REASON,
    SWEEP_KIND,
    TEACHER,
    identity_tag,
)
from trainables import predictions

if TYPE_CHECKING:
    from mlflow.entities import Run

ARTIFACTS = ("angles.npz", "per_state.json", predictions.FILE)
MAX_ARTIFACT_BYTES = 10_000_000
"""Larger files stay in the storage, because large uploads through a server exceed its time limits."""


class Tracking(Experiment):
    """The records of one sweep in its experiment. Can be pickled. Methods raise TrackingError."""

    @guarded
    def open_sweep(
        self,
        shared: Mapping[str, str],
        description: str,
        artifacts: Mapping[str, str],
        running: Collection[str] = (),
    ) -> str:
        """Opens the parent run of the sweep, and returns its id.

        `shared`: the tags of all runs of the sweep. `artifacts`: file name -> text. Only the driver calls this, because
        it creates the experiment. A sweep that continues uses its old run, under which runs that a dead process left
        RUNNING are ended; `running`: the cells and teachers whose runs are not, because another driver computes them.
        """
        experiment_id = self._make_experiment()
        about = {**shared, KIND: SWEEP_KIND, HOST: environment.host(), DESCRIPTION: description}
        found = next(self._search(f"tags.{KIND} = '{SWEEP_KIND}'"), None)
        if found is None:
            run_id = self.client.create_run(experiment_id, tags=about, run_name=self.experiment).info.run_id
        else:
            run_id = found.info.run_id
            self.client.update_run(run_id, status="RUNNING")
            self._log(run_id, tags=about)
            if REASON in found.data.tags:
                self.client.delete_tag(run_id, REASON)
            self._end_children(run_id, running)
        for name, text in artifacts.items():
            self.client.log_text(run_id, text, name)
        return run_id

    @guarded
    def interrupt(self, parent: str, running: Collection[str] = (), *, goes_on: bool = False) -> None:
        """Ends the runs of cells and teachers that are still RUNNING, but for those that another driver computes.

        Ends the run of the sweep too, unless it `goes_on` with another driver.
        """
        self._end_children(parent, running)
        if not goes_on:
            self._end(parent, "KILLED", reason="interrupted")

    def _end_children(self, parent: str, running: Collection[str]) -> None:
        for child in self._search(f"attributes.status = 'RUNNING' and tags.`{PARENT}` = '{parent}'"):
            if child.data.tags.get(identity_tag(child.data.tags[KIND])) not in running:
                self._end(child.info.run_id, "FAILED", reason="cut off")

    @guarded
    def tag_experiment(self, tags: Mapping[str, str]) -> None:
        """Sets tags of the experiment, such as the ready-made views of its runs."""
        for key, value in tags.items():
            self.client.set_experiment_tag(self.experiment_id, key, value)

    @guarded
    def open_run(self, run: RunSpec, record: Record, attempt: int) -> str:
        """The id of the run, RUNNING, that shows this attempt and those that it continues.

        A run that shows another attempt of the record is replaced.
        """
        start, last = record.attempt(record.chain(attempt)[0]), record.attempt(attempt)
        by = {HOST: last.host, COMPUTED_BY: last.computed_by}
        where = f"tags.{identity_tag(run.kind)} = '{run.identity}' and tags.{KIND} = '{run.shown_kind}'"
        for found in self._search(f"{where} and tags.`{PARENT}` = '{run.parent}'"):
            if found.info.start_time == start.time:
                self._reopen(found, _without(run.params, found.data.params), by)
                return found.info.run_id
            self.client.delete_run(found.info.run_id)
        tags = {**run.tags, **by, KIND: run.shown_kind, identity_tag(run.kind): run.identity, PARENT: run.parent}
        created = self.client.create_run(self.experiment_id, start.time, tags, run.name)
        self._log(created.info.run_id, params=run.params)
        return created.info.run_id

    def _reopen(self, run: Run, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        self._log(run.info.run_id, params=params, tags=tags)
        if run.info.status != "RUNNING":
            self.client.update_run(run.info.run_id, status="RUNNING")
            if REASON in run.data.tags:
                self.client.delete_tag(run.info.run_id, REASON)

    @guarded
    def send(self, run_id: str, points: Sequence[Point]) -> None:
        """Sends up to 1,000 points in one request; points that MLflow has already change nothing."""
        assert len(points) <= MAX_POINTS
        self._log(run_id, points=points)

    @guarded
    def conclude(self, run_id: str, run: RunSpec, record: Record, sent: Iterable[str], left_out: Sequence[str]) -> None:
        """Ends a run with the result or failure of its record. `sent`: the metrics that the journal has."""
        if left_out:
            self._log(run_id, tags={NOT_FINITE: f"{len(left_out)} values left out: {', '.join(left_out)}"})
        result = record.result()
        if result is None:
            if failure := record.last_failure():
                self._end(run_id, "FAILED", failure.reason, failure.traceback, failure.time)
            else:
                self._end(run_id, "FAILED", reason="cut off")
            return
        metrics = {**result.metrics, **score_metrics(result, _teacher(run, record))}
        points, _ = read_points([{"step": result.steps, "time": result.time, "metrics": metrics}])
        known = set(sent)
        self._log(
            run_id,
            points=[point for point in points if point.key not in known],
            params=result_params(result),
            tags=result_tags(result, record),
        )
        for name in ARTIFACTS:
            file = record.path(name)
            if file and file.stat().st_size <= MAX_ARTIFACT_BYTES:
                self.client.log_artifact(run_id, str(file))
        self._end(run_id, "FINISHED", time=result.time)

    def fill(self, run: RunSpec, record: Record) -> str:
        """Draws the run of a record that has ended; returns the run's id."""
        attempt = record.shown_attempt()
        assert attempt is not None, "a record without an attempt has not ended"
        run_id = self.open_run(run, record, attempt)
        points, left_out = read_points(record.journal())
        for start in range(0, len(points), MAX_POINTS):
            self.send(run_id, points[start : start + MAX_POINTS])
        self.conclude(run_id, run, record, {point.key for point in points}, left_out)
        return run_id

    def fill_missing(self, parent: str, runs: Iterable[tuple[RunSpec, Record]]) -> int:
        """Draws the runs of ended records that are missing under the parent; returns their number."""
        standing = self.ended(parent)
        missing = [
            (run, record)
            for run, record in runs
            if (end := record.result() or record.last_failure()) and (run.identity, end.time) not in standing
        ]
        for run, record in missing:
            self.fill(run, record)
        return len(missing)

    @guarded
    def ended(self, parent: str) -> dict[tuple[str, int], str]:
        """Identity and end time of each ended run under the parent -> the run's id."""
        return {
            (run.data.tags.get(identity_tag(run.data.tags[KIND]), ""), run.info.end_time or 0): run.info.run_id
            for run in self._search(f"attributes.status != 'RUNNING' and tags.`{PARENT}` = '{parent}'")
        }

    @guarded
    def add_measured(self, parent: str, points: Mapping[str, Sequence[Point]]) -> None:
        """Adds points to the ended runs under the parent that lack these values; `points` by identity."""
        if not points:
            return
        for run in self._search(f"attributes.status != 'RUNNING' and tags.`{PARENT}` = '{parent}'"):
            identity = run.data.tags.get(identity_tag(run.data.tags[KIND]), "")
            new = [each for each in points.get(identity, ()) if run.data.metrics.get(each.key) != each.value]
            if new:
                self._log(run.info.run_id, points=new)

    @guarded
    def runs_of_cell(self, fingerprint: str) -> list[str]:
        """The ids of the runs of a cell, those of other sweeps too."""
        experiments = [each.experiment_id for each in self.client.search_experiments()]
        found = self.client.search_runs(experiments, f"tags.`{identity_tag(CELL_KIND)}` = '{fingerprint}'")
        return [run.info.run_id for run in found]

    @guarded
    def delete_runs(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            self.client.delete_run(run_id)

    @guarded
    def describe(self, run_id: str, tags: Mapping[str, str], metrics: Mapping[str, float], time: int) -> None:
        """Sets tags and metrics of a run; `time` is in milliseconds since the epoch."""
        self._log(run_id, points=[Point(key, value, time, 0) for key, value in metrics.items()], tags=tags)

    @guarded
    def finish(self, run_id: str, status: Status, reason: str | None = None, traceback: str | None = None) -> None:
        """Ends a run, with the reason as a tag and the traceback as an artifact where it failed."""
        self._end(run_id, status, reason, traceback)

    @guarded
    def add_artifact(self, run_id: str, file: Path) -> None:
        self.client.log_artifact(run_id, str(file))


def _teacher(run: RunSpec, record: Record) -> TeacherResult | None:
    """The result of a cell's teacher; None for a teacher's own run."""
    return Records(record.storage).teacher(run.tags[TEACHER]).result() if run.kind == CELL_KIND else None


def _without(params: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in params.items() if key not in known}
