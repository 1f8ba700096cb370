"""A worker lost, MLflow, Postgres and the head restarted, a job stopped: the numbers are the undisturbed sweep's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.compose import Cluster, metrics_of, tags_of
from tests.cluster.conftest import LONG, write_long

Numbers = dict[str, dict[str, float]]

UNREAPED = """
import psutil
known = [each.info for each in psutil.process_iter(["name", "ppid", "status"])]
print([each["name"] for each in known if each["ppid"] == 1 and each["status"] == psutil.STATUS_ZOMBIE])
"""


def numbers(cluster: Cluster, name: str) -> Numbers:
    """What the cells of a sweep came to, by fingerprint; without times and rates."""
    return {
        each["cell"]: {key: value for key, value in each["metrics"].items() if "second" not in key}
        for each in cluster.results(name)
    }


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster, swept: str) -> Numbers:
    found = numbers(cluster, LONG)
    assert len(found) == 2
    return found


def disturb(cluster: Cluster, name: str, do: Callable[[list[dict[str, Any]]], None]) -> tuple[int, str]:
    """Submits the sweep and does something once cells are under way; how the submission ended."""
    process = cluster.submission(*write_long(cluster, name))
    try:
        until = time.monotonic() + 600
        while not (running := _running(cluster, name)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, "no cell started"
            time.sleep(0.5)
        time.sleep(2)
        do(running)
        shown, _ = process.communicate(timeout=1100)
    finally:
        process.kill()
    return process.returncode, shown


def _running(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    status, _ = cluster.api("GET", f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}")
    return [] if status != 200 else [run for run in cluster.runs(name, "cell") if run["info"]["status"] == "RUNNING"]


def check_runs(cluster: Cluster, name: str, expected: Numbers) -> None:
    """Each cell has one run, finished, with the numbers of its record."""
    runs = {tags_of(run)["cell"]: run for run in cluster.runs(name, "cell")}
    assert set(runs) == set(expected)
    for cell, run in runs.items():
        assert run["info"]["status"] == "FINISHED"
        shown = metrics_of(run)
        assert {key: shown[key] for key in expected[cell]} == expected[cell]


def test_a_lost_worker_and_restarted_servers(cluster: Cluster, undisturbed: Numbers) -> None:
    lost: dict[str, str] = {}

    def lose(running: list[dict[str, Any]]) -> None:
        lost.update(cell=tags_of(running[0])["cell"], host=tags_of(running[0])["host"])
        cluster.docker("kill", lost["host"])
        cluster.docker("restart", cluster.container("postgres"), cluster.container("mlflow"))

    try:
        status, shown = disturb(cluster, "lost", lose)
    finally:
        cluster.docker("start", lost["host"])
    if status == 1:  # the server was still out when the sweep ended: said, and drawn by the same command again
        assert "Tracking has stopped" in shown
        _wait_for_mlflow(cluster)
        status, shown = cluster.submit(*write_long(cluster, "lost"))
    assert status == 0, shown
    assert numbers(cluster, "lost") == undisturbed
    check_runs(cluster, "lost", undisturbed)
    assert next(each["attempt"] for each in cluster.results("lost") if each["cell"] == lost["cell"]) > 1
    hosts = {tags_of(run)["cell"]: tags_of(run)["host"] for run in cluster.runs("lost", "cell")}
    assert hosts[lost["cell"]] != lost["host"]


def _wait_for_mlflow(cluster: Cluster) -> None:
    until = time.monotonic() + 600
    while time.monotonic() < until:
        try:
            if cluster.api("GET", "/health", account=None)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(1)
    raise AssertionError("MLflow did not come back")


def test_a_stopped_job_and_then_a_lost_head(cluster: Cluster, undisturbed: Numbers) -> None:
    def stop(_: list[dict[str, Any]]) -> None:
        head = cluster.container("ray-head")
        cluster.docker("exec", head, "ray", "job", "stop", "--address", "http://127.0.0.1:8265", "stopped-1")
        # Ray takes them for alive, and kills the job when its time is over instead of letting it end.
        assert cluster.docker("exec", head, "python", "-c", UNREAPED).strip() == "[]"

    def lose(_: list[dict[str, Any]]) -> None:
        cluster.docker("restart", "--time", "0", cluster.container("ray-head"))

    status, shown = disturb(cluster, "stopped", stop)
    assert status == 130, shown
    assert "Interrupted. What is finished is kept" in shown
    assert len(numbers(cluster, "stopped")) < 2
    assert not _running(cluster, "stopped")

    try:
        status, shown = disturb(cluster, "stopped", lose)
    finally:
        cluster.make("up", "--workers", "2")
    assert status == 1, shown
    assert "ubmit again" in shown.splitlines()[-1]
    assert len(numbers(cluster, "stopped")) < 2

    status, shown = cluster.submit(*write_long(cluster, "stopped"))
    assert status == 0, shown
    assert numbers(cluster, "stopped") == undisturbed
    check_runs(cluster, "stopped", undisturbed)
