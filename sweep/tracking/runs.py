"""What a run shows of a record: its name, tags, params and points. This module imports no MLflow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sweep.grid import labels
from sweep.grid.cells import Cell
from sweep.records import own_metrics
from sweep.records.journal import JournalRow
from sweep.records.records import Record, RecordKind
from sweep.records.stored import CellResult, Result
from sweep.tracking import tags
from trainables.config import TrialConfig
from trainables.size import Size


class Point(NamedTuple):
    """One value of one metric; `time` in milliseconds since the epoch."""

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class RunSpec:
    """The name, tags and params of a run, which are known before it starts."""

    kind: RecordKind
    identity: str
    """The cell's fingerprint, or the teacher's hash."""
    parent: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    is_candidate: bool = False
    """Whether the cell is a candidate of a search."""

    @property
    def shown_kind(self) -> str:
        """The kind that MLflow shows."""
        return tags.CANDIDATE_KIND if self.is_candidate else self.kind

    @classmethod
    def of_cell(
        cls, cell: Cell, name: str, parent: str, shared: Mapping[str, str], *, is_candidate: bool = False
    ) -> RunSpec:
        """The run of a cell under its label; `shared` are the tags of all runs of the sweep."""
        config = cell.config
        own = {
            tags.MODEL: config.model.name,
            tags.TASK: config.task.name,
            tags.STRATEGY: labels.strategy_label(cell.shown.strategy),
            tags.INIT: config.init,
            tags.SEED: str(config.seed),
            tags.TEACHER: cell.teacher_hash,
            tags.DESCRIPTION: _describe_cell(config),
        }
        params = labels.flatten(config.model_dump(mode="json"))
        # A parameter that only some strategies have is missing in the other runs, which a view of it would leave out.
        params[tags.STRATEGY_PARAM] = own[tags.STRATEGY]
        return cls("cell", cell.fingerprint, parent, name, {**shared, **own}, params, is_candidate)

    @classmethod
    def of_teacher(cls, cell: Cell, name: str, parent: str, shared: Mapping[str, str]) -> RunSpec:
        """The run of the teacher of a cell under its label."""
        config = cell.config
        about = f"The teacher of {config.model.name} on {config.task.name}, which its students are matched to."
        own = {tags.MODEL: config.model.name, tags.TASK: config.task.name, tags.DESCRIPTION: about}
        params = labels.flatten(config.model_dump(mode="json", include={"model", "task", "dtype"}))
        return cls("teacher", cell.teacher_hash, parent, name, {**shared, **own}, params)


def _describe_cell(config: TrialConfig) -> str:
    strategy = labels.strategy_label(config.strategy)
    matched = "matched to no teacher state" if strategy == "none" else f"matched by {strategy}"
    start = "random weights" if config.init == "random" else "the teacher's weights"
    student = f"A student of {config.model.student_blocks} blocks per stack under {config.model.name}"
    return f"{student} on {config.task.name}, from {start}, {matched}; seed {config.seed}."


def read_points(rows: Iterable[JournalRow]) -> tuple[list[Point], list[str]]:
    """The finite values of journal rows, and the names and steps of values that are not finite."""
    values = [Point(key, value, row["time"], row["step"]) for row in rows for key, value in row["metrics"].items()]
    left_out = [f"{point.key} at step {point.step}" for point in values if not math.isfinite(point.value)]
    return [point for point in values if math.isfinite(point.value)], left_out


def measured_points(record: Record, task_kind: str) -> list[Point]:
    """What was measured on a finished record afterwards, at its last step; newer than what the training measured."""
    result = record.result()
    stored = own_metrics.measured_afterwards(record, result, task_kind) if result else []
    steps = result.steps if result else 0
    return [Point(key, value, each.time, steps) for each in stored for key, value in each.values.items()]


def result_params(result: Result) -> dict[str, str]:
    """A cell's mappings as params, `mapping.encoder` = `0:0 1:4 2:8 3:12`, and the size of the best model."""
    mappings = result.mapping if isinstance(result, CellResult) else {}
    params = {tags.mapping_param(stack): labels.pairs(mapping) for stack, mapping in mappings.items()}
    return params | (_size_params(result.size) if result.size else {})


def _size_params(size: Size) -> dict[str, str]:
    """`size.parameters` = `4587`, `size.examples_per_second_32` = `5960`"""
    values = {
        "parameters": size.parameters,
        "without_embeddings": size.without_embeddings,
        "megabytes": float(f"{size.megabytes:.4g}"),
        **{f"examples_per_second_{batch}": float(f"{rate:.4g}") for batch, rate in size.examples_per_second.items()},
    }
    return {tags.size_param(name): f"{value:.12g}" for name, value in values.items()}


def result_tags(result: Result, record: Record) -> dict[str, str]:
    """Who computed a result, with which code, and where its student is stored."""
    own = {tags.COMPUTED_BY: result.computed_by, **tags.of_code(result.environment)}
    if result.signature:
        own[tags.SIGNATURE] = result.signature
    if result.num_parts > 1:
        own[tags.NUM_PARTS] = str(result.num_parts)
    if isinstance(result, CellResult):
        own[tags.STUDENT] = record.storage.full_url(f"{record.root}/{result.student}")
        own[tags.COHORT] = str(result.cohort)
    return own
