"""A cluster on which no trial fits yet: the sweep asks its autoscaler for a node, and waits for a while."""

from typing import Any

import pytest
import ray
from ray import tune

from sweep.jobs import demand, room, schedule
from sweep.jobs.demand import PATIENCE_SECONDS
from sweep.jobs.progress import ENDED
from sweep.spec.sweep import Failures, Resources, SweepConfig
from tests.sweep.jobs.clusters import bare_cluster
from tests.sweep.tiny import Unwatched
from trainables.errors import InputError

RESOURCES = Resources(cpus=2, gpus=0.5)
BUNDLE = {"CPU": 2.0, "GPU": 0.5}
HEAD, WORKER = {"CPU": 0.0}, {"CPU": 2.0, "GPU": 1.0}
WAITS = (
    "No node fits a trial of 2 CPUs and 0.5 GPUs: the sweep waits up to 180 seconds for the autoscaler to add one.\n"
)
TOO_FEW = (
    "resources.cpus: got 2; no node has more than 0 (the cluster has 1 node: 0 CPUs and 0 GPUs)",
    "resources.gpus: got 0.5; no node has more than 0 (the cluster has 1 node: 0 CPUs and 0 GPUs)",
)


class Growing:
    """A head without CPUs, to which a worker is added after a time, on a clock that only waiting moves."""

    def __init__(self, grows_after: float = float("inf")) -> None:
        self.time, self.grows_after = 0.0, grows_after
        self.asked: list[list[dict[str, float]]] = []

    def nodes(self) -> list[dict[str, Any]]:
        contents = [HEAD, WORKER] if self.time >= self.grows_after else [HEAD]
        return [{"Alive": True, "Resources": each} for each in contents]

    def request(self, *, bundles: list[dict[str, float]]) -> None:
        self.asked.append(bundles)

    def sleep(self, seconds: float) -> None:
        assert self.asked == [[BUNDLE]]
        self.time += seconds

    def ensure(self, address: str | None) -> None:
        room.ensure(RESOURCES, address, lambda: self.time, self.sleep)


def growing(monkeypatch: pytest.MonkeyPatch, grows_after: float = float("inf")) -> Growing:
    cluster = Growing(grows_after)
    monkeypatch.setattr("ray.nodes", cluster.nodes)
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    monkeypatch.setattr(demand, "request_resources", cluster.request)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv(room.VARIABLE, raising=False)
    return cluster


def test_a_ray_of_its_own_is_never_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = growing(monkeypatch)
    with pytest.raises(InputError) as error:
        cluster.ensure(None)
    assert str(error.value).splitlines() == [*TOO_FEW]
    assert (cluster.asked, cluster.time, capsys.readouterr().out) == ([], 0, "")


def test_a_cluster_that_never_grows_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = growing(monkeypatch)
    monkeypatch.setenv(room.VARIABLE, "0")
    with pytest.raises(InputError) as error:
        cluster.ensure("auto")
    assert str(error.value).splitlines() == [*TOO_FEW]
    assert (cluster.asked, cluster.time, capsys.readouterr().out) == ([], 0, "")


def test_the_wait_may_be_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = growing(monkeypatch, grows_after=90)
    monkeypatch.setenv(room.VARIABLE, "60")
    with pytest.raises(InputError, match="and none was added within 60 seconds"):
        cluster.ensure("auto")
    assert cluster.time == 60


@pytest.mark.parametrize("given", ["soon", "-1", "nan", "inf", ""])
def test_a_limit_is_a_number_of_seconds(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(room.VARIABLE, given)
    with pytest.raises(InputError) as error:
        room.patience()
    assert str(error.value) == f"SWEEP_WAIT_SECONDS: got {given!r}; expected a number of seconds, at least 0"


def test_nothing_is_asked_for_where_a_trial_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = growing(monkeypatch, grows_after=0)
    cluster.ensure("auto")
    assert (cluster.asked, cluster.time, capsys.readouterr().out) == ([], 0, "")


@pytest.mark.parametrize("by", ["--address", "RAY_ADDRESS"])
def test_the_sweep_goes_on_as_soon_as_a_node_is_added(
    by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = growing(monkeypatch, grows_after=20)
    if by == "RAY_ADDRESS":
        monkeypatch.setenv("RAY_ADDRESS", "auto")
    cluster.ensure("auto" if by == "--address" else None)
    assert (cluster.asked, cluster.time, capsys.readouterr().out) == ([[BUNDLE], []], 20, WAITS)


def test_the_request_is_withdrawn_where_no_node_is_added(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = growing(monkeypatch)
    with pytest.raises(InputError) as error:
        cluster.ensure("auto")
    assert str(error.value).splitlines() == [f"{line}, and none was added within 180 seconds" for line in TOO_FEW]
    assert (cluster.asked, cluster.time, capsys.readouterr().out) == ([[BUNDLE], []], PATIENCE_SECONDS, WAITS)


def test_the_request_is_withdrawn_at_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = growing(monkeypatch)

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        room.ensure(RESOURCES, "auto", lambda: 0.0, interrupted)
    assert cluster.asked == [[BUNDLE], []]


def end(config: dict[str, Any]) -> None:
    """A trainable that is done at once, and says how many CPUs its node has."""
    node = ray.get_runtime_context().get_node_id()
    (cpus,) = (each["Resources"]["CPU"] for each in ray.nodes() if each["NodeID"] == node)
    facts = {"done": True, "reason": None, "delivered": True, "cpus": cpus}
    tune.report({ENDED: {config["job"]: facts}})


def test_a_cluster_scales_from_zero(capsys: pytest.CaptureFixture[str]) -> None:
    config = SweepConfig(name="zero", resources=Resources(cpus=2), failures=Failures(max_failures=0))
    with bare_cluster() as cluster:
        schedule.connect(cluster.address)
        room.ensure(config.resources, cluster.address, sleep=lambda _: cluster.add_node(num_cpus=3))
        assert room.num_at_once(config.resources) == 1
        ends = schedule.run(end, {"job": {"job": "trial"}}, config, Unwatched())
    assert ends.facts["job"]["cpus"] == 3
    assert capsys.readouterr().out.count("No node fits a trial of 2 CPUs and 0 GPUs: the sweep waits") == 1
