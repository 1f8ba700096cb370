"""Whether every node of a Ray cluster reaches the paths of a sweep: its storage and its teachers' folders."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.spec.sweep import SweepConfig
from trainables.config import TrialConfig
from trainables.errors import InputError, Problem

JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""An environment variable that the driver of a submitted job has."""


def check(config: SweepConfig, cells: Iterable[TrialConfig]) -> None:
    """Raises InputError for a storage or a teacher that some node cannot reach. Ray is connected."""
    problems = _relative(config) or _out_of_reach(config)
    folders = {str(cell.model.teacher) for cell in cells if os.path.isdir(str(cell.model.teacher))}
    problems += [problem for folder in sorted(folders) for problem in _missed("base.model.teacher", folder, folder)]
    if problems:
        raise InputError(problems)


def _relative(config: SweepConfig) -> list[Problem]:
    """A job's folder is removed after it, and each node has a working directory of its own."""
    given = config.storage_setting
    is_job = JOB_VARIABLE in os.environ
    if "://" in given or os.path.isabs(given) or not (is_job or len(_nodes()) > 1):
        return []
    where = "in a submitted job" if is_job else "on several nodes"
    right = f"{where}, use an absolute path or a URL that every node reaches"
    return [Problem("storage", f"got {given!r}, which is relative; {right}")]


def _out_of_reach(config: SweepConfig) -> list[Problem]:
    given = config.storage_setting
    if "://" in given or len(_nodes()) < 2:
        return []
    folder = next(each for each in (Path(given), *Path(given).parents) if each.exists())
    # A new file, because no node can have it in its cache of a shared folder.
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".seen-by-every-node-") as marker:
        return _missed("storage", given, marker.name)


def _missed(field: str, value: str, path: str) -> list[Problem]:
    """A problem if some node does not have `path`. A task on each node looks for it."""
    nodes = _nodes()
    if len(nodes) < 2:
        return []
    affinities = {node: NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes}
    answers = {node: _exists.options(scheduling_strategy=affinities[node]).remote(path) for node in nodes}
    without = [nodes[node] for node, answer in answers.items() if not ray.get(answer)]
    message = f"got {value!r}, which {', '.join(without)} does not reach; use a path or a URL that every node reaches"
    return [Problem(field, message)] if without else []


@ray.remote(num_cpus=0)
def _exists(path: str) -> bool:
    return os.path.exists(path)


def _nodes() -> dict[str, str]:
    """Node id -> host name, for each node that is alive."""
    nodes = ray.nodes() if ray.is_initialized() else []
    return {node["NodeID"]: node["NodeManagerHostname"] for node in nodes if node["Alive"]}
