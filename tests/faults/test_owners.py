"""Two processes on one storage: a stopped one loses its cell, which the other takes over, and commits nothing to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sweep.records import checkpoints, heartbeats
from sweep.records.leases import current
from sweep.records.records import Record, Records
from sweep.records.storage import Storage
from tests.faults.cuts import TEACHER
from tests.faults.owners import STRATEGIES, Owner
from tests.trainables.alone import timeless

WAIT_SECONDS = 600


def wait(is_reached: Callable[[], Any]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not is_reached():
        assert time.monotonic() < end
        time.sleep(0.05)


def cells(records: Records) -> list[Record]:
    return [records.cell(name) for name in records.storage.list("cells")]


def numbers(records: Records) -> dict[str, Any]:
    """The final metrics, and every point of the journals, each of which is there once."""
    every: dict[str, Any] = {}
    for record in (records.teacher(TEACHER), *cells(records)):
        result = record.result()
        assert result is not None
        points = [
            ((row["step"], key), value) for row in record.journal() for key, value in timeless(row["metrics"]).items()
        ]
        assert len(dict(points)) == len(points)
        every[record.identity] = (timeless(result.metrics), dict(points))
    return every


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process computes that nothing disturbs."""
    url = str(tmp_path_factory.mktemp("calm"))
    process = Owner(url, "calm", {}, Path(url, "ends"), Path(url, "no gate")).start()
    process.join(WAIT_SECONDS)
    assert process.exitcode == 0
    return numbers(Records(Storage(url)))


@pytest.fixture(scope="module")
def s3() -> Iterator[Mapping[str, str]]:
    """A server that speaks S3, by the environment of those that use it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    environment = {**dict.fromkeys(keys, "testing"), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)

        def answers() -> bool:
            assert server.poll() is None
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", int(port))) == 0

        try:
            wait(answers)
            yield {**environment, "AWS_DEFAULT_REGION": "us-east-1"}
        finally:
            server.kill()
            server.wait()


@pytest.mark.parametrize("place", ["folder", "s3"])
def test_a_cell_has_one_owner_and_a_slow_one_commits_nothing(
    place: str, calm: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url, environment = str(tmp_path), {}
    if place == "s3":
        environment = request.getfixturevalue("s3")
        import boto3

        boto3.client("s3").create_bucket(Bucket="runs")
        url = "s3://runs/here"
    records = Records(Storage(url))
    owners = {
        name: Owner(url, name, environment, log=tmp_path / name, gate=tmp_path / f"gate of {name}")
        for name in ("slow", "other")
    }
    owners["slow"].gate.write_text("")  # so that its first cell is not done before it is stopped
    slow = owners["slow"].start()
    wait(lambda: cells(records) and checkpoints.last_step(cells(records)[0]))
    os.kill(slow.pid, signal.SIGSTOP)
    owners["slow"].gate.unlink()
    (first,) = cells(records)
    lease = current(first)
    assert lease is not None
    assert lease.about.startswith("the sweep slow on ")
    step = checkpoints.last_step(first)
    other = owners["other"].start()
    wait(lambda: first.attempts() == [1, 2])
    os.kill(slow.pid, signal.SIGCONT)
    for process in (other, slow):
        process.join(WAIT_SECONDS)
        assert process.exitcode == 0
    assert numbers(records) == calm
    assert first.chain(2) == [1, 2]
    assert step > 0
    refusal, before = owners["slow"].ended()[first.identity][0], owners["other"].ended()[first.identity]
    assert not refusal["done"]
    assert refusal["elsewhere"].startswith(f"this trial was too slow and has lost {first.root}")
    assert [end["done"] for end in before] == [False, True]  # at first it is left to the slow one
    log = records.storage.read(f"{first.root}/attempts/1/log.txt")
    assert log is not None
    assert b": nothing is stored: this trial was too slow and has lost " in log
    results = [record.result() for record in cells(records)]
    assert len(results) == len(STRATEGIES)
    assert [len(record.attempts()) for record in cells(records) if record != first] == [1]
    assert heartbeats.present(records.storage) == {}
    assert [current(record) for record in cells(records)] == [None, None]
