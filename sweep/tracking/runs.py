"""What a run shows of a record: its name, tags, params and points. Pure; knows no MLflow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sweep.grid import labels
from sweep.grid.cells import Cell
from sweep.records import environment
from sweep.records.records import Facts, JournalRow, Record
from trainables.config import TrialConfig

DESCRIPTION = "mlflow.note.content"
"""The tag that MLflow shows as a run's description."""

Kind = Literal["cell", "teacher", "candidate"]


class Point(NamedTuple):
    """One value of one metric; `time` in milliseconds since the epoch."""

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class RunSpec:
    """What a run is called and what is known of it before it starts."""

    kind: Kind
    identity: str
    """The cell's fingerprint, or the teacher's hash."""
    parent: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]

    @classmethod
    def of_cell(cls, cell: Cell, name: str, parent: str, tags: Mapping[str, str]) -> RunSpec:
        """The run of a cell under its label; `tags` are those that all runs of the sweep share."""
        config = cell.config
        own = {
            "model": config.model.name,
            "task": config.task.name,
            "strategy": labels.strategy_label(config.strategy),
            "init": config.init,
            "seed": str(config.seed),
            "teacher": cell.teacher,
            DESCRIPTION: _describe_cell(config),
        }
        params = labels.flatten(config.model_dump(mode="json"))
        return cls("cell", cell.fingerprint, parent, name, {**tags, **own}, params)

    @classmethod
    def of_teacher(cls, cell: Cell, name: str, parent: str, tags: Mapping[str, str]) -> RunSpec:
        """The run of the teacher of a cell under its label."""
        config = cell.config
        about = f"The teacher of {config.model.name} on {config.task.name}, which its students are matched to."
        own = {"model": config.model.name, "task": config.task.name, DESCRIPTION: about}
        params = labels.flatten(config.model_dump(mode="json", include={"model", "task", "dtype"}))
        return cls("teacher", cell.teacher, parent, name, {**tags, **own}, params)


def _describe_cell(config: TrialConfig) -> str:
    strategy = labels.strategy_label(config.strategy)
    matched = "matched to no teacher state" if strategy == "none" else f"matched by {strategy}"
    start = "the teacher's weights" if config.init == "teacher" else "random weights"
    student = f"A student of {config.model.student_blocks} blocks a stack under {config.model.name}"
    return f"{student} on {config.task.name}, from {start}, {matched}; seed {config.seed}."


def read_points(rows: Iterable[JournalRow]) -> tuple[list[Point], list[str]]:
    """The finite values of journal rows, and where the values that are not finite stood."""
    values = [Point(key, value, row["time"], row["step"]) for row in rows for key, value in row["metrics"].items()]
    left_out = [f"{point.key} at step {point.step}" for point in values if not math.isfinite(point.value)]
    return [point for point in values if math.isfinite(point.value)], left_out


def identity_tag(kind: str) -> str:
    """The tag that holds the identity of a run of this kind."""
    return "teacher" if kind == "teacher" else "cell"


def mapping_params(result: Facts) -> dict[str, str]:
    """A cell's mappings as params: `mapping.encoder` = `0:0 1:4 2:8 3:12`."""
    mappings: dict[str, dict[str, int]] = result.get("mapping") or {}
    return {f"mapping.{stack}": labels.pairs(mapping) for stack, mapping in mappings.items()}


def result_tags(result: Facts, record: Record) -> dict[str, str]:
    """What a result says of how it came to be, and where its student lies."""
    tags: dict[str, Any] = {name: result[name] for name in ("computed_by", "signature") if result.get(name)}
    if result.get("student"):
        tags["student"] = record.storage.full_url(f"{record.root}/{result['student']}")
    if "git_commit" in result.get("environment", {}):
        tags |= environment.tags(result["environment"])
    return tags
