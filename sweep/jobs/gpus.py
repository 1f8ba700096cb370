"""Asks the nodes of a cluster for the memory of their GPUs, and compares it with the need of the trials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.plan.checks.memory import GB, memory_problems
from sweep.plan.checks.sizes import CellSizes
from sweep.spec.sweep import Resources
from trainables.errors import raise_all

ASK_SECONDS = 60.0
"""The time limit for an answer. Torch takes seconds to load, and a node whose GPUs are all busy does not answer."""
LEAST_SHARE = 0.01
"""The share of a GPU that the question takes, without which Ray would hide the GPU from it."""


class Gpu(NamedTuple):
    """One GPU of a node."""

    node: str
    name: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.name} of {self.node}"


def check(resources: Resources, cells: Iterable[CellSizes]) -> Resources:
    """Raises InputError for trials that fit on no GPU of the cluster, unless `resources.gpu_gb` gives its memory.

    Returns the resources with the memory of the smallest GPU. Ray is connected. GPUs of unknown memory (no CUDA, or no
    answer in time) are ignored.
    """
    if resources.gpu_gb is not None or not resources.gpus:
        return resources
    gpus = gpus_of_nodes()
    if not gpus:
        return resources
    smallest, *_, largest = sorted([*gpus, *gpus], key=lambda gpu: gpu.bytes)
    raise_all(memory_problems(cells, _with(resources, largest), given=f"null, and {largest} has"))
    return _with(resources, smallest)


def _with(resources: Resources, gpu: Gpu) -> Resources:
    return resources.model_copy(update={"gpu_gb": round(gpu.bytes / GB, 1)})


def gpus_of_nodes() -> list[Gpu]:
    """One GPU per node that has any, for the nodes that answer in time."""
    nodes = {
        node["NodeID"]: node["NodeManagerHostname"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("GPU", 0)
    }
    hosts = {
        _first.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(): host
        for node, host in nodes.items()
    }
    if not hosts:
        return []
    finished, late = ray.wait([*hosts], num_returns=len(hosts), timeout=ASK_SECONDS)
    for task in late:
        ray.cancel(task)
    # A list, because several nodes may share a host.
    answers = [(hosts[task], ray.get(task)) for task in finished]
    return [Gpu(host, *answer) for host, answer in answers if answer]


@ray.remote(num_cpus=0, num_gpus=LEAST_SHARE)
def _first() -> tuple[str, int] | None:
    """The name of a GPU of this node and its memory in bytes; None where torch sees no GPU."""
    import torch

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return properties.name, properties.total_memory
