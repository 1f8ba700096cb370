"""The room for trials on the nodes of the cluster: how many fit, and the wait for a node where none fits yet."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence

import ray

from sweep.jobs.demand import PATIENCE_SECONDS, Demand
from sweep.plan.checks import memory
from sweep.spec.messages import quote
from sweep.spec.sweep import Resources
from trainables.errors import InputError, Problem, raise_all

VARIABLE = "SWEEP_WAIT_SECONDS"
POLL_SECONDS = 1.0
"""The time between two looks at the nodes."""


def num_at_once(resources: Resources) -> int:
    """The number of trials that the nodes that are alive have room for."""
    needs = {"CPU": resources.cpus, "GPU": resources.gpus}
    return sum(min(int(node.get(kind, 0) / amount) for kind, amount in needs.items() if amount) for node in _nodes())


def num_bytes(resources: Resources) -> float | None:
    """The memory of a trial in bytes: of its GPU, else its share of its node's memory; None: it is unknown."""
    if resources.gpus:
        return memory.room(resources)
    shares = [
        node["memory"] * resources.cpus / node["CPU"] for node in _nodes() if node.get("CPU") and node.get("memory")
    ]
    return min(shares, default=None)


def ensure(
    resources: Resources,
    address: str | None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Returns once a node fits a trial. Raises InputError, with the resources of the cluster, if none ever does.

    A cluster that was there before the command (`address`, or RAY_ADDRESS) may have an autoscaler: it is asked for a
    node and gets `patience()` to add one. A Ray that the command has started never grows.
    """
    problems = _problems(resources)
    if problems and patience() and (address or os.environ.get("RAY_ADDRESS")):
        problems = _wait(resources, problems, clock, sleep)
    raise_all(problems)


def patience() -> float:
    """The seconds that an autoscaler has for a first node; 0 where the cluster says that it never grows.

    Ray has no public way to tell a cluster with an autoscaler from one without. Raises InputError.
    """
    given = os.environ.get(VARIABLE)
    if given is None:
        return PATIENCE_SECONDS
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise InputError([Problem(VARIABLE, f"got {quote(given)}; expected a number of seconds, at least 0")])
    return seconds


def _wait(
    resources: Resources, problems: Sequence[Problem], clock: Callable[[], float], sleep: Callable[[float], None]
) -> list[Problem]:
    """The problems that are left once a node fits a trial, or after `patience()`."""
    trial = _contents({"CPU": resources.cpus, "GPU": resources.gpus})
    limit = f"{patience():g} seconds"
    print(f"No node fits a trial of {trial}: the sweep waits up to {limit} for the autoscaler to add one.", flush=True)
    demand = Demand(resources)
    deadline = clock() + patience()
    try:
        demand.ask(1, room=0)
        while clock() < deadline:
            sleep(POLL_SECONDS)
            if not (problems := _problems(resources)):
                return []
    finally:
        demand.withdraw()  # Ray would keep the request; a sweep that goes on makes its own
    return [Problem(path, f"{message}, and none was added within {limit}") for path, message in problems]


def _problems(resources: Resources) -> list[Problem]:
    """What keeps a trial from running on any node that is alive."""
    nodes = _nodes()
    needs = {"CPU": ("cpus", resources.cpus), "GPU": ("gpus", resources.gpus)}
    problems = [
        Problem(f"resources.{name}", f"got {amount:g}; no node has more than {most:g} ({_describe(nodes)})")
        for kind, (name, amount) in needs.items()
        if amount > (most := max((node.get(kind, 0) for node in nodes), default=0))
    ]
    fits = any(node.get("CPU", 0) >= resources.cpus and node.get("GPU", 0) >= resources.gpus for node in nodes)
    if not problems and not fits:
        problems = [Problem("resources", f"no node has the CPUs and the GPUs of a trial ({_describe(nodes)})")]
    return problems


def _nodes() -> list[dict[str, float]]:
    """The resources of each node that is alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _describe(nodes: Sequence[Mapping[str, float]]) -> str:
    return f"the cluster has {len(nodes)} node{'s' * (len(nodes) != 1)}: {', '.join(map(_contents, nodes))}"


def _contents(amounts: Mapping[str, float]) -> str:
    return f"{amounts.get('CPU', 0):g} CPUs and {amounts.get('GPU', 0):g} GPUs"
