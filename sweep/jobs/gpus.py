"""The memory of a cluster's GPUs, asked of its nodes and held against what trials need."""

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
"""For an answer: a node whose GPUs are all taken has none to give in time, and torch takes seconds to load."""
LEAST_SHARE = 0.01
"""Of a GPU, to see it."""


class Gpu(NamedTuple):
    """One GPU of a node."""

    node: str
    name: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.name} of {self.node}"


def check(resources: Resources, cells: Iterable[CellSizes]) -> None:
    """Raises InputError for trials that no node's GPU can hold, where `resources.gpu_gb` does not say. Ray is joined.

    A GPU that is not known (no CUDA, or no answer in time) refuses nothing.
    """
    if resources.gpu_gb is not None or not resources.gpus:
        return
    gpus = found()
    if gpus:
        largest = max(gpus, key=lambda gpu: gpu.bytes)
        there = resources.model_copy(update={"gpu_gb": round(largest.bytes / GB, 1)})
        raise_all(memory_problems(cells, there, given=f"null, and {largest} has"))


def found() -> list[Gpu]:
    """A GPU of each node that has any, as far as nodes answer."""
    nodes = {
        node["NodeID"]: node["NodeManagerHostname"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("GPU", 0)
    }
    asked = {
        _first.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(): host
        for node, host in nodes.items()
    }
    if not asked:
        return []
    answered, late = ray.wait([*asked], num_returns=len(asked), timeout=ASK_SECONDS)
    for task in late:
        ray.cancel(task)
    # Several nodes may have one host.
    answers = [(asked[task], ray.get(task)) for task in answered]
    return [Gpu(host, *answer) for host, answer in answers if answer]


@ray.remote(num_cpus=0, num_gpus=LEAST_SHARE)
def _first() -> tuple[str, int] | None:
    """The name and the bytes of a GPU of this node; None where torch sees none."""
    import torch

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return properties.name, properties.total_memory
