"""One cluster for all tests of this folder, and two sweeps on it at once: all families, and long cells."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.compose import Cluster, copy_checkout
from tests.sweep.heads import free_ports
from tests.sweep.tiny import TASK_OF, TASKS, small

ALL = "all-families"
LONG = "undisturbed"
LONG_STEPS = 400
"""Of a cell: 10 s and more, so that it can be disturbed."""
WATCHED_STEPS = 200
"""Of BERT's teacher: long enough for some looks at how busy its machine is."""
OFTEN = {"environment": {"MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "2"}}
"""Seconds from look to look; MLflow's 10 are longer than the runs of these tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The faults come last: a head that is restarted forgets its jobs and their logs, which other tests look at."""
    items.sort(key=lambda item: item.path.name == "test_faults.py")


def sweep(name: str, families: list[str], steps: int, strategies: list[str]) -> dict[str, Any]:
    """The config of a sweep of small models: one CPU a trial, in fp32."""
    return {
        "name": name,
        "base": {"train": {"max_steps": steps, "batch_size": 8, "evaluate_every": 1000}, "dtype": "fp32"},
        "axes": {"strategy": strategies},
        "grids": [{"base": {"model": small(f"tiny-{family}"), "task": TASKS[TASK_OF[family]]}} for family in families],
    }


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        copy_checkout(Path(folder))
        made = Cluster(Path(folder), *free_ports(2))
        made.write("docker-compose.override.yml", {"services": {"ray-head": OFTEN, "ray-worker": OFTEN}})
        made.make("purge", "--yes")  # what a run left that was killed: its database has other passwords
        try:
            made.make("up", "--workers", "2")
            yield made
        finally:
            made.make("purge", "--yes")


def write_long(cluster: Cluster, name: str) -> list[str]:
    """The words of a submission of the sweep of long cells, with a storage and an experiment of its own."""
    return [
        cluster.write(f"{name}.yaml", sweep(name, ["bert"], LONG_STEPS, ["forward", "none"])),
        f"storage=/sweeps/{name}",
    ]


@pytest.fixture(scope="session")
def swept(cluster: Cluster) -> str:
    """What the sweep of all families printed, while that of long cells ran beside it; both have ended with 0."""
    config = sweep(ALL, list(TASK_OF), 3, ["forward", "none"])
    config["grids"][0]["base"]["model"] = small("tiny-bert", max_steps=WATCHED_STEPS)
    submitted = [
        cluster.submission(cluster.write(f"{ALL}.yaml", config)),
        cluster.submission(*write_long(cluster, LONG)),
    ]
    printed = [process.communicate(timeout=1100)[0] for process in submitted]
    assert [process.returncode for process in submitted] == [0, 0], "\n".join(printed)
    return printed[0]
