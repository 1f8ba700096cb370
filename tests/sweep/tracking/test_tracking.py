"""Records drawn in a real MLflow database, read back from it."""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.tracking.delivery import Delivery
from sweep.tracking.experiment import TrackingError
from sweep.tracking.runs import RunSpec
from sweep.tracking.tags import DESCRIPTION, PARENT
from sweep.tracking.tracking import Tracking
from tests.sweep.tracked import (
    SHARED_TAGS,
    STARTED,
    begin,
    finish_record,
    finish_teacher,
    make_cell,
    make_result,
    make_rows,
    spec,
)
from trainables.size import Size

SCORES = {"score/validation": 0.5, "score/test": 0.75, "score/of_the_way": 0.8}


@pytest.fixture
def client(tracking: Tracking) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking.uri)


@pytest.fixture
def parent(tracking: Tracking) -> str:
    return tracking.open_sweep({}, "a sweep", {})


def children(client: MlflowClient, parent: str) -> list[Run]:
    experiment = client.get_run(parent).info.experiment_id
    return list(client.search_runs([experiment], f"tags.`{PARENT}` = '{parent}'", order_by=["attributes.start_time"]))


def history(client: MlflowClient, run_id: str, key: str) -> list[tuple[int, int, float]]:
    return [(point.step, point.timestamp, point.value) for point in client.get_metric_history(run_id, key)]


def test_a_delivered_cell(tracking: Tracking, client: MlflowClient, records: Records, parent: str) -> None:
    finish_teacher(records.teacher("7eac4e4"), {"test/accuracy": 0.875}, chance=0.25)
    record = records.cell("c0ffee")
    attempt = begin(record, computed_by="sweep@here")
    delivery = Delivery(tracking, spec(parent), attempt)
    for first in (1, 11):
        attempt.journal.write(make_rows(first, first + 9))
        delivery.add(make_rows(first, first + 9))
    (attempt.folder / "angles.npz").write_bytes(b"angles")
    (attempt.folder / "per_state.json").write_text("{}")
    size = Size(4587, 1915, 0.024324, {1: 150.48453, 32: 5960.252})
    result = attempt.commit(make_result(attempt, size=size))
    assert delivery.close(20)

    (run,) = children(client, parent)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "a label"
    assert (run.info.start_time, run.info.end_time) == (record.attempt(1).time, result.time)
    for step, moment, value in history(client, run.info.run_id, "train/loss"):
        assert (moment, value) == (STARTED + step, 1 / step)
    assert [step for step, _, _ in history(client, run.info.run_id, "train/loss")] == list(range(1, 21))
    assert history(client, run.info.run_id, "test/accuracy") == [(20, result.time, 0.75)]
    assert set(run.data.metrics) == {
        "train/loss",
        "train/lr",
        "best/accuracy",
        "test/accuracy",
        "seconds/total",
        *SCORES,
    }
    assert {name: run.data.metrics[name] for name in SCORES} == SCORES
    assert {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")} == {
        "cell": "c0ffee",
        "kind": "cell",
        "model": "bert",
        "task": "natural-logic",
        "strategy": "forward",
        "init": "teacher",
        "seed": "0",
        "teacher": "7eac4e4",
        "host": "here",
        "computed_by": "first@elsewhere",
        "git_commit": "record",
        "git_dirty": "true",
        "source_hash": "source",
        "student": f"{records.storage.full_url(record.root)}/attempts/1/student",
        "cohort": "1",
    }
    assert run.data.params["train.learning_rate"] == "2e-05"
    assert run.data.params["task.text"] == '["premise", "hypothesis"]'
    assert run.data.params["mapping.encoder"] == "0:0 1:4"
    assert (run.data.params["strategy.kind"], run.data.params["strategy"]) == ("forward", "forward")
    assert {name: value for name, value in run.data.params.items() if name.startswith("size.")} == {
        "size.parameters": "4587",
        "size.without_embeddings": "1915",
        "size.megabytes": "0.02432",
        "size.examples_per_second_1": "150.5",
        "size.examples_per_second_32": "5960",
    }
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["angles.npz", "per_state.json"]


def test_drawing_again_changes_nothing(tracking: Tracking, client: MlflowClient, records: Records, parent: str) -> None:
    record = records.cell("c0ffee")
    finish_record(record)
    run_id = tracking.fill(spec(parent), record)
    points = history(client, run_id, "train/loss")
    assert points == [(step, STARTED + step, 1 / step) for step in (1, 2, 3)]

    client.update_run(run_id, status="RUNNING")  # as if the process had died before the end
    assert tracking.fill(spec(parent), record) == run_id
    assert history(client, run_id, "train/loss") == points
    assert len(history(client, run_id, "test/accuracy")) == 1
    assert [run.info.status for run in children(client, parent)] == ["FINISHED"]


def test_a_second_sweep_has_a_run_of_its_own(
    tracking: Tracking, client: MlflowClient, records: Records, parent: str
) -> None:
    record = records.cell("c0ffee")
    finish_record(record)
    first = tracking.fill(spec(parent), record)
    second = replace(tracking, experiment=f"{tracking.experiment}-2")
    other = second.open_sweep({}, "", {})
    copy = second.fill(spec(other), record)
    assert copy != first
    run, origin = client.get_run(copy), client.get_run(first)
    assert run.data.metrics == origin.data.metrics
    assert run.data.tags["computed_by"] == "first@elsewhere"
    assert run.data.tags[PARENT] == other
    assert run.info.experiment_id != origin.info.experiment_id


def test_only_missing_runs_are_filled(tracking: Tracking, client: MlflowClient, records: Records, parent: str) -> None:
    cells = [make_cell(fingerprint=name) for name in ("one", "two", "failed", "not yet")]
    runs = [(spec(parent, cell), records.cell(cell.fingerprint)) for cell in cells]
    finish_record(records.cell("one"))
    assert tracking.fill_missing(parent, runs) == 1
    finish_record(records.cell("two"))
    begin(records.cell("failed")).fail("loss not finite", "", by_itself=True)
    assert tracking.fill_missing(parent, runs) == 2
    assert tracking.fill_missing(parent, runs) == 0
    statuses = {run.data.tags["cell"]: run.info.status for run in children(client, parent)}
    assert statuses == {"one": "FINISHED", "two": "FINISHED", "failed": "FAILED"}


def test_a_cell_that_was_deleted_and_made_again_is_drawn_again(
    tracking: Tracking, client: MlflowClient, records: Records, parent: str
) -> None:
    record = records.cell("c0ffee")
    runs = [(spec(parent), record)]
    finish_record(record, accuracy=0.25)
    tracking.fill_missing(parent, runs)
    records.storage.delete(record.root)
    time.sleep(0.002)
    finish_record(record, accuracy=0.625)
    assert tracking.fill_missing(parent, runs) == 1
    assert [run.data.metrics["test/accuracy"] for run in children(client, parent)] == [0.625]


def test_a_failed_cell(tracking: Tracking, client: MlflowClient, records: Records, parent: str) -> None:
    attempt = begin(records.cell("c0ffee"))
    delivery = Delivery(tracking, spec(parent), attempt)
    rows = make_rows(1, 3)
    rows[2]["metrics"] = {"train/loss": math.nan, "train/lr": math.inf, "train/grad_norm": 2.0}
    attempt.journal.write(rows)
    delivery.add(rows)
    attempt.fail("loss not finite at step 3", "the message", "Traceback: here", by_itself=True)
    assert delivery.close(20)
    (run,) = children(client, parent)
    assert run.info.status == "FAILED"
    assert run.data.tags["reason"] == "loss not finite at step 3"
    assert run.data.tags["not_finite"] == "2 values left out: train/loss at step 3, train/lr at step 3"
    assert [step for step, _, _ in history(client, run.info.run_id, "train/loss")] == [1, 2]
    assert run.data.metrics["train/grad_norm"] == 2.0
    file = client.download_artifacts(run.info.run_id, "traceback.txt")
    assert Path(file).read_text() == "Traceback: here"


def test_an_interrupted_sweep_leaves_no_run_under_way(
    tracking: Tracking, client: MlflowClient, records: Records, parent: str
) -> None:
    done, cut_off = records.cell("d0ne"), records.cell("c0ffee")
    finish_record(done)
    tracking.fill(spec(parent, make_cell("d0ne")), done)
    tracking.open_run(spec(parent), cut_off, begin(cut_off).number)

    tracking.interrupt(parent)
    reasons = {
        run.data.tags["cell"]: (run.info.status, run.data.tags.get("reason")) for run in children(client, parent)
    }
    assert reasons == {"d0ne": ("FINISHED", None), "c0ffee": ("FAILED", "cut off")}
    sweep = client.get_run(parent)
    assert (sweep.info.status, sweep.data.tags["reason"]) == ("KILLED", "interrupted")


def test_the_runs_of_another_driver_go_on(
    tracking: Tracking, client: MlflowClient, records: Records, parent: str
) -> None:
    for name in ("own", "other"):
        record = records.cell(name)
        tracking.open_run(spec(parent, make_cell(name)), record, begin(record).number)

    def statuses() -> dict[str, str]:
        return {run.data.tags["cell"]: run.info.status for run in children(client, parent)}

    assert tracking.open_sweep({}, "a sweep", {}, running={"other"}) == parent
    assert statuses() == {"own": "FAILED", "other": "RUNNING"}
    tracking.interrupt(parent, {"other"}, goes_on=True)
    assert (statuses()["other"], client.get_run(parent).info.status) == ("RUNNING", "RUNNING")
    tracking.interrupt(parent)
    assert (statuses()["other"], client.get_run(parent).info.status) == ("FAILED", "KILLED")


def test_a_delivery_leaves_its_run_to_another_attempt(
    tracking: Tracking, client: MlflowClient, records: Records, parent: str
) -> None:
    attempt = begin(records.cell("c0ffee"))
    delivery = Delivery(tracking, spec(parent), attempt, interval_seconds=0.05)
    end = time.monotonic() + 300
    while not children(client, parent):
        assert time.monotonic() < end
        time.sleep(0.05)
    delivery.abandon()
    assert delivery.close(60)
    delivery._thread.join(300)
    assert [run.info.status for run in children(client, parent)] == ["RUNNING"]


def test_two_drivers_that_begin_at_once_share_an_experiment(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, known = MlflowClient.get_experiment_by_name, [False]

    def miss_once(client: MlflowClient, name: str) -> Any:
        if known[0]:
            return find(client, name)
        known[0] = True
        client.create_experiment(name)
        return None

    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", miss_once)
    tracking.open_sweep({}, "a sweep", {})
    assert known[0]


def test_a_cell_that_was_cut_off_and_run_again(
    tracking: Tracking, client: MlflowClient, records: Records, parent: str
) -> None:
    record = records.cell("c0ffee")
    cut_off = tracking.open_run(spec(parent), record, begin(record).number)
    assert [run.info.status for run in children(client, parent)] == ["RUNNING"]

    assert tracking.open_sweep({}, "", {}) == parent
    (run,) = children(client, parent)
    assert (run.info.status, run.data.tags["reason"]) == ("FAILED", "cut off")

    time.sleep(0.002)
    again = begin(record)
    delivery = Delivery(tracking, spec(parent), again)
    again.commit(make_result(again))
    assert delivery.close(20)
    (run,) = children(client, parent)
    assert run.info.run_id != cut_off
    assert run.info.status == "FINISHED"
    assert "reason" not in run.data.tags


def test_where_another_attempt_wins_its_numbers_are_shown(
    tracking: Tracking, client: MlflowClient, records: Records, parent: str
) -> None:
    record = records.cell("c0ffee")
    slow = begin(record)
    delivery = Delivery(tracking, spec(parent), slow)
    delivery.add(make_rows(1, 3, offset=5.0))
    time.sleep(0.002)
    finish_record(record, accuracy=0.875)
    slow.commit(make_result(slow, accuracy=0.125))
    assert delivery.close(20)
    (run,) = children(client, parent)
    assert run.data.metrics["test/accuracy"] == 0.875
    assert history(client, run.info.run_id, "train/loss") == [(step, STARTED + step, 1 / step) for step in (1, 2, 3)]


def test_more_than_a_request_holds(tracking: Tracking, client: MlflowClient, records: Records, parent: str) -> None:
    record = records.cell("c0ffee")
    finish_record(record, num_rows=700)
    params = {f"p{number}": "x" * 7000 for number in range(120)}
    run_id = tracking.fill(replace(spec(parent), params=params), record)
    assert len(history(client, run_id, "train/loss")) == len(history(client, run_id, "train/lr")) == 700
    found = client.get_run(run_id).data.params
    assert len(found) == 121  # and the mapping
    assert found["p119"] == "x" * 6000


def test_teachers_have_runs(tracking: Tracking, client: MlflowClient, records: Records, parent: str) -> None:
    ready = records.teacher("7eac4e4")
    finish_teacher(ready, {"test/accuracy": 0.9375})
    run_id = tracking.fill(RunSpec.of_teacher(make_cell(), "its label", parent, SHARED_TAGS), ready)
    run = client.get_run(run_id)
    assert run.info.run_name == "its label"
    assert run.data.metrics == {"test/accuracy": 0.9375, "score/test": 0.9375}
    assert (run.data.tags["kind"], run.data.tags["teacher"]) == ("teacher", "7eac4e4")
    assert "cell" not in run.data.tags
    assert "strategy.kind" not in run.data.params
    assert tracking.ended(parent).keys() == {("7eac4e4", ready.result().time)}  # pyright: ignore


def test_the_sweeps_own_run(tracking: Tracking, client: MlflowClient, tmp_path: Path) -> None:
    run_id = tracking.open_sweep({"git_commit": "abc"}, "What this is.", {"config.yaml": "name: x\n", "plan.txt": "p"})
    run = client.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("RUNNING", tracking.experiment)
    assert run.data.tags[DESCRIPTION] == "What this is."
    assert run.data.tags["kind"] == "sweep"
    assert run.data.tags["git_commit"] == "abc"
    (tmp_path / "report.html").write_text("<p>")
    tracking.add_artifact(run_id, tmp_path / "report.html")
    tracking.describe(run_id, {"verdict_strategy": "equivalent"}, {"verdict/gain": 0.03, "verdict/margin": 0.01}, 7)
    run = client.get_run(run_id)
    assert run.data.tags["verdict_strategy"] == "equivalent"
    assert run.data.metrics == {"verdict/gain": 0.03, "verdict/margin": 0.01}
    tracking.finish(run_id, "FAILED", "no node left", "Traceback")
    assert [file.path for file in client.list_artifacts(run_id)] == [
        "config.yaml",
        "plan.txt",
        "report.html",
        "traceback.txt",
    ]
    assert client.get_run(run_id).info.status == "FAILED"

    assert tracking.open_sweep({"git_commit": "def"}, "Continued.", {}) == run_id
    run = client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert run.data.tags["git_commit"] == "def"
    assert "reason" not in run.data.tags


def test_a_deleted_experiment_comes_back(tracking: Tracking, client: MlflowClient, parent: str) -> None:
    client.delete_experiment(client.get_run(parent).info.experiment_id)
    tracking.open_sweep({}, "", {})
    found = client.get_experiment_by_name(tracking.experiment)
    assert found is not None
    assert found.lifecycle_stage == "active"


def test_system_metrics(tracking: Tracking, client: MlflowClient, parent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with tracking.system_metrics(parent):
        deadline = time.monotonic() + 300
        while not client.get_run(parent).data.metrics and time.monotonic() < deadline:
            time.sleep(0.1)
    assert "system/cpu_utilization_percentage" in client.get_run(parent).data.metrics


def test_a_server_that_is_out_is_watched_in_silence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with Tracking("http://me:secret@127.0.0.1:1", "x").system_metrics("run"):
        time.sleep(0.5)
    assert capfd.readouterr() == ("", "")


def test_a_refusal_tells_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match=re.escape("http://me:***@127.0.0.1:1/")) as error:
        Tracking("http://me:secret@127.0.0.1:1", "x").open_sweep({}, "", {})
    assert "secret" not in str(error.value)


def test_a_new_database_is_made_in_silence(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    code = f"from sweep.tracking.tracking import Tracking; Tracking({uri!r}, 'x').open_sweep({{}}, '', {{}})"
    unset = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, cwd=tmp_path, env=unset
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_refusals_are_tracking_errors(tracking: Tracking, records: Records) -> None:
    finish_record(records.cell("c0ffee"))
    with pytest.raises(TrackingError, match="has no experiment 'elsewhere'"):
        replace(tracking, experiment="elsewhere").fill(spec("parent"), records.cell("c0ffee"))
    with pytest.raises(TrackingError, match="nobody"):
        tracking.finish("nobody", "FINISHED")


def test_it_travels(tracking: Tracking, parent: str) -> None:
    assert pickle.loads(pickle.dumps(tracking)).ended(parent) == {}


def deliver_cells(tracking: Tracking, url: str, parent: str, names: list[str]) -> list[bool]:
    """A worker: one cell after the other, each delivered while it runs."""
    delivered: list[bool] = []
    for name in names:
        attempt = begin(Records(Storage(url)).cell(name))
        delivery = Delivery(tracking, spec(parent, make_cell(name)), attempt, interval_seconds=0.02)
        for first in range(1, 100, 10):
            attempt.journal.write(make_rows(first, first + 9))
            delivery.add(make_rows(first, first + 9))
            time.sleep(0.01)
        attempt.commit(make_result(attempt))
        delivered.append(delivery.close(20))
    return delivered


def test_two_writers_of_one_database(tracking: Tracking, client: MlflowClient, records: Records, parent: str) -> None:
    names = [["a1", "a2", "a3"], ["b1", "b2", "b3"]]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        work: list[Any] = [pool.submit(deliver_cells, tracking, records.storage.url, parent, part) for part in names]
        assert [future.result() for future in work] == [[True] * 3] * 2
    runs = children(client, parent)
    assert {run.data.tags["cell"] for run in runs} == {*names[0], *names[1]}
    for run in runs:
        points = sorted(history(client, run.info.run_id, "train/loss"))
        assert points == [(step, STARTED + step, 1 / step) for step in range(1, 101)]
