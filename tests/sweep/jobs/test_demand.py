"""What the autoscaler of a cluster is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.jobs import demand, schedule
from sweep.jobs.demand import PATIENCE_SECONDS, Demand
from sweep.spec.sweep import Resources, SweepConfig
from tests.sweep.tiny import Unwatched

RESOURCES = Resources(cpus=2, gpus=0.5)
BUNDLE = {"CPU": 2.0, "GPU": 0.5}


class Cluster:
    """A cluster that only hears what it is asked for, on a clock that stands still."""

    def __init__(self) -> None:
        self.time = 0.0
        self.asked: list[int] = []

    def request(self, *, bundles: list[dict[str, float]]) -> None:
        assert all(bundle == BUNDLE for bundle in bundles)
        self.asked.append(len(bundles))

    def demand(self) -> Demand:
        return Demand(RESOURCES, lambda: self.time)

    def wait(self) -> None:
        self.time += PATIENCE_SECONDS + 1


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(demand, "request_resources", made.request)
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    return made


def test_the_waiting_work_is_announced_once_and_withdrawn(cluster: Cluster) -> None:
    asked = cluster.demand()
    for num_trials in (7, 7, 6, 10):
        asked.ask(num_trials, 0)
    asked.withdraw()
    assert cluster.asked == [7, 6, 10, 0]


def test_no_more_than_an_autoscaler_can_look_at(cluster: Cluster) -> None:
    cluster.demand().ask(100_000, 0)
    assert cluster.asked == [demand.MOST]


def test_where_no_node_comes_fewer_are_asked_for(cluster: Cluster) -> None:
    """Ray's second autoscaler adds none where not all of them fit into the cluster's limits."""
    asked = cluster.demand()
    for _ in range(5):
        asked.ask(12, 2)
        cluster.wait()
    assert cluster.asked == [12, 7, 4, 3]
    asked.ask(12, 3)  # one has come
    assert cluster.asked[-1] == 4


def test_a_cluster_with_room_for_all_is_not_asked_for_less(cluster: Cluster) -> None:
    asked = cluster.demand()
    for _ in range(3):
        asked.ask(12, 12)
        cluster.wait()
    assert cluster.asked == [12]


class Tuner:
    """Ray Tune, interrupted as soon as it has asked what to run."""

    def __init__(self, *_: Any, tune_config: Any, **__: Any) -> None:
        self.order = tune_config.search_alg

    def fit(self) -> None:
        self.order._announce(3, 0)
        raise KeyboardInterrupt


def test_the_demand_is_withdrawn_where_the_sweep_is_interrupted(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule.tune, "Tuner", Tuner)
    with pytest.raises(KeyboardInterrupt):
        schedule.run(lambda config: None, {"a": {"a": "one"}}, SweepConfig(name="x", resources=RESOURCES), Unwatched())
    assert cluster.asked == [3, 0]
