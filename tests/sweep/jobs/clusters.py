"""A Ray cluster of this process's own: a head without CPUs, to which a test adds nodes.

Workers import this file: it imports no torch and no MLflow.
"""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager

import pytest
import ray
from ray.cluster_utils import Cluster

from sweep.jobs import schedule


@contextmanager
def bare_cluster() -> Generator[Cluster]:
    """A cluster that ends with the context, as does the connection of this process."""
    folder = tempfile.mkdtemp(prefix="ray-")  # short: sockets below it have paths of 107 characters at most
    with pytest.MonkeyPatch.context() as patch:
        for name, value in schedule.ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        patch.setenv("RAY_TMPDIR", folder)  # else the cluster would be what others on this host join unasked
        cluster = Cluster()
        try:
            cluster.add_node(num_cpus=0, include_dashboard=False)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
            shutil.rmtree(folder)
