"""One cluster for all tests of this folder, and one sweep of all four families on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.compose import Cluster, copy_checkout
from tests.sweep.test_job import free_ports
from tests.sweep.tiny import TASK_OF, TASKS, small

ALL = "all-families"


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
        try:
            made.make("up", "--workers", "2")
            yield made
        finally:
            made.make("purge", "--yes")


@pytest.fixture(scope="session")
def swept(cluster: Cluster) -> str:
    """What the sweep of all families printed; it has ended with 0."""
    config = cluster.write(f"{ALL}.yaml", sweep(ALL, list(TASK_OF), 3, ["forward", "none"]))
    status, shown = cluster.submit(config)
    assert status == 0, shown
    return shown
