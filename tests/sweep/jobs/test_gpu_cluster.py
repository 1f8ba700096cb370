"""Trials that share GPUs, on a cluster of two nodes with two logical GPUs each.

Workers import this file: it imports no torch and no MLflow.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import tune
from ray.actor import ActorHandle

from sweep.jobs import gpus, reach, room, schedule
from sweep.spec.sweep import Failures, Resources, SweepConfig
from tests.sweep.jobs.clusters import bare_cluster
from tests.sweep.tiny import Unwatched
from trainables.config import TrialConfig
from trainables.errors import InputError

NUM_TRIALS = 8


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A head without CPUs and two nodes; this process has joined it."""
    with bare_cluster() as made:
        for _ in range(2):
            made.add_node(num_cpus=4, num_gpus=2)
        schedule.connect(made.address)
        yield


@ray.remote(num_cpus=0)
class Meeting:
    """Lets its guests go once all are there."""

    def __init__(self, num_guests: int) -> None:
        self.num_missing = num_guests
        self.complete = asyncio.Event()

    async def attend(self) -> None:
        self.num_missing -= 1
        if self.num_missing == 0:
            self.complete.set()
        await self.complete.wait()


def attend(config: dict[str, Any], meeting: ActorHandle[Meeting]) -> None:
    """A trainable that ends only when all trials run at once, and says where it ran."""
    ray.get(meeting.attend.remote(), timeout=600)
    node, device = ray.get_runtime_context().get_node_id(), os.environ["CUDA_VISIBLE_DEVICES"]
    facts = {"done": True, "reason": None, "delivered": True, "node": node, "device": device}
    tune.report({"ended": {config["job"]: facts}})


def taught_by(teacher: str) -> TrialConfig:
    model = {"name": "own", "family": "bert", "teacher": teacher}
    return TrialConfig.model_validate({"model": model, "task": "natural-logic"})


def asking(cpus: int = 1, gpus: float = 0.0, **more: Any) -> SweepConfig:
    return SweepConfig(name="gpus", resources=Resources(cpus=cpus, gpus=gpus), **more)


@pytest.mark.usefixtures("cluster")
def test_eight_trials_share_four_gpus_at_once() -> None:
    names = {job: {job: job} for job in map(str, range(NUM_TRIALS))}
    config = asking(gpus=0.5, failures=Failures(max_failures=0))
    ends = schedule.run(attend, names, config, Unwatched(), meeting=Meeting.remote(NUM_TRIALS))
    assert not ends.errors
    nodes = {node["NodeID"] for node in ray.nodes() if node["Resources"].get("GPU")}
    seen = Counter((facts["node"], facts["device"]) for facts in ends.facts.values())
    assert seen == {(node, device): 2 for node in nodes for device in ("0", "1")}
    assert len(nodes) == 2


@pytest.mark.usefixtures("cluster")
def test_a_trial_of_no_gpu_sees_none() -> None:
    config = asking(failures=Failures(max_failures=0))
    ends = schedule.run(attend, {"job": {"job": "trial"}}, config, Unwatched(), meeting=Meeting.remote(1))
    assert [facts["device"] for facts in ends.facts.values()] == [""]


@pytest.mark.usefixtures("cluster")
def test_resources_are_held_against_the_largest_node() -> None:
    for fits in (asking(gpus=0.5), asking(cpus=4, gpus=2)):
        room.ensure(fits.resources, address=None)
    with pytest.raises(InputError) as raised:
        room.ensure(asking(gpus=3).resources, address=None)
    (problem,) = raised.value.problems
    assert problem.path == "resources.gpus"
    assert problem.message.startswith("got 3; no node has more than 2 (the cluster has 3 nodes: ")
    assert problem.message.count("4 CPUs and 2 GPUs") == 2
    assert problem.message.count("0 CPUs and 0 GPUs") == 1


@ray.remote(num_cpus=0, num_gpus=0.01)
def first_of_node() -> tuple[str, int]:
    """What a node says whose GPUs are CUDA's."""
    return "GPU-16", 15_835_660_288


@pytest.mark.usefixtures("cluster")
def test_each_node_with_gpus_says_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpus.gpus_of_nodes() == []  # Ray was told of GPUs that CUDA does not see
    monkeypatch.setattr(gpus, "_first", first_of_node)
    assert gpus.gpus_of_nodes() == [gpus.Gpu(os.uname().nodename, "GPU-16", 15_835_660_288)] * 2


@pytest.mark.usefixtures("cluster")
def test_several_nodes_share_no_relative_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWEEP_STORAGE", raising=False)
    with pytest.raises(InputError, match=r"^storage: got 'runs', which is relative; on several nodes, use an absolute"):
        reach.check(asking(), [])


@pytest.mark.usefixtures("cluster")
def test_every_node_reaches_storage_and_teachers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "teacher").mkdir()
    reach.check(asking(storage=f"{tmp_path}/runs"), [taught_by(f"{tmp_path}/teacher")])
    monkeypatch.chdir(tmp_path)
    here = "/proc/self/cwd"  # every process has its own
    with pytest.raises(InputError) as raised:
        reach.check(asking(storage=f"{here}/runs"), [taught_by(f"{here}/teacher"), taught_by("hub/id")])
    assert [problem.path for problem in raised.value.problems] == ["storage", "base.model.teacher"]
    for problem, given in zip(raised.value.problems, ("runs", "teacher"), strict=True):
        hosts = ", ".join([os.uname().nodename] * 3)
        assert problem.message.startswith(f"got '{here}/{given}', which {hosts} does not reach; use a path or a URL")
    assert [path.name for path in tmp_path.iterdir()] == ["teacher"]
