"""A tracking server that goes away and comes back: nothing is lost, and training never waits for it."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from sweep.records.records import Record, Records
from sweep.tracking import delivery
from sweep.tracking.delivery import Delivery
from sweep.tracking.experiment import TrackingError
from sweep.tracking.runs import RunSpec
from sweep.tracking.tracking import Tracking
from tests.sweep.servers import Server
from tests.sweep.tracked import STARTED, begin, make_cell, make_result, make_rows, spec


@pytest.fixture
def server(database: Path, tmp_path: Path) -> Iterator[Server]:
    shutil.copy(database, tmp_path / "mlflow.db")
    server = Server(tmp_path)
    yield server
    server.kill()


def test_an_outage_loses_nothing(
    server: Server, records: Records, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sweep.tracking.delivery")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server.start()
    tracking = Tracking(server.url, uuid4().hex)
    parent = tracking.open_sweep({}, "", {"config.yaml": "name: x\n"})
    client = MlflowClient(tracking_uri=server.url)

    survivor = records.cell("survivor")
    attempt = begin(survivor)
    delivery = Delivery(tracking, spec(parent, make_cell("survivor")), attempt, interval_seconds=0.05)
    delivery.add(make_rows(1, 10))
    attempt.journal.write(make_rows(1, 10))
    wait_until(lambda: bool(tracking_runs(client, parent)))

    server.kill()
    for first in range(11, 51, 10):
        delivery.add(make_rows(first, first + 9))
        attempt.journal.write(make_rows(first, first + 9))
    wait_until(lambda: delivery.error is not None)

    lost = begin(records.cell("lost"))
    without_server = Delivery(tracking, spec(parent, make_cell("lost")), lost, interval_seconds=0.05)
    without_server.add(make_rows(1, 5))
    lost.journal.write(make_rows(1, 5))
    lost.commit(make_result(lost))
    assert not without_server.close(0.5)
    with pytest.raises(TrackingError):
        tracking.fill(spec(parent, make_cell("lost")), records.cell("lost"))

    server.start()
    (attempt.folder / "angles.npz").write_bytes(b"angles")
    attempt.commit(make_result(attempt))
    assert delivery.close(300)
    assert delivery.error is None
    said = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert said == ["MLflow does not answer, so that rows wait in the journal"] * 2 + ["MLflow answers again"]
    runs = [(spec(parent, make_cell(name)), records.cell(name)) for name in ("survivor", "lost")]
    assert tracking.fill_missing(parent, runs) == 1

    found = tracking_runs(client, parent)
    assert {name: len(ids) for name, ids in found.items()} == {"survivor": 1, "lost": 1}
    for name, num_steps in (("survivor", 50), ("lost", 5)):
        run = client.get_run(found[name][0])
        points = client.get_metric_history(run.info.run_id, "train/loss")
        expected = [(step, STARTED + step, 1 / step) for step in range(1, num_steps + 1)]
        assert sorted((point.step, point.timestamp, point.value) for point in points) == expected
        assert run.info.status == "FINISHED"
        assert run.data.metrics["test/accuracy"] == 0.75
    assert [file.path for file in client.list_artifacts(found["survivor"][0])] == ["angles.npz"]


@dataclass(frozen=True)
class Out(Tracking):
    """Refuses each request; keeps the first waiting for a moment, where it is to, and the second until it is let go."""

    first_seconds: float = 0.0
    second: threading.Event = field(default_factory=threading.Event)
    tries: list[str] = field(default_factory=list[str])

    def open_run(self, run: RunSpec, record: Record, attempt: int) -> str:
        self.tries.append(run.identity)
        if len(self.tries) == 1:
            time.sleep(self.first_seconds)
        else:
            self.second.wait()
        raise TrackingError("no answer")


def test_a_server_that_is_known_to_be_out_is_not_waited_for(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LAST_TRY_SECONDS", 0.2)
    out = Out("http://nowhere", "x")
    late = Delivery(out, spec("parent"), begin(records.cell("c0ffee")))
    wait_until(lambda: late.error is not None)
    assert not late.close(300)
    assert late._thread.is_alive()  # in its second request
    out.second.set()
    wait_until(lambda: not late._thread.is_alive())
    assert out.tries == ["c0ffee"] * 2  # one more, which might have found the server back


def test_a_server_that_refuses_at_the_end_is_not_waited_for(records: Records) -> None:
    out = Out("http://nowhere", "x", first_seconds=0.5)
    out.second.set()
    late = Delivery(out, spec("parent"), begin(records.cell("c0ffee")))
    started = time.perf_counter()
    assert not late.close(300)
    assert time.perf_counter() - started < 150
    assert len(out.tries) == 2


def tracking_runs(client: MlflowClient, parent: str) -> dict[str, list[str]]:
    """The ids of the runs under the parent, by cell."""
    experiment = client.get_run(parent).info.experiment_id
    found: dict[str, list[str]] = {}
    for run in client.search_runs([experiment], "tags.kind = 'cell'"):
        found.setdefault(run.data.tags["cell"], []).append(run.info.run_id)
    return found


def wait_until(condition: object, seconds: float = 300.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
