"""The sizes that determine a cell's memory and cost: its teacher's shape, its head and its numbers of examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sweep.plan.checks.teachers import TeacherSource
from trainables.config import FromScratch, ModelConfig, TrialConfig
from trainables.families import FAMILIES, Family
from trainables.heads import Head
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data

FEWEST = ("0", "1")
"""The classes of a task if neither the config nor the data names them."""


class Splits(NamedTuple):
    """The number of examples per split; all test splits count as one."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class CellSizes:
    """The sizes of a cell; the dtype in its config is resolved."""

    config: TrialConfig
    family: Family
    shape: dict[str, Any]
    """The fields of the teacher's config."""
    head: Head
    splits: Splits


def sizes(config: TrialConfig, teacher_source: TeacherSource, data: Data | None) -> CellSizes | None:
    """The sizes of a cell; None if its family, which is then a plug-in, does not declare its parameters."""
    family, task = FAMILIES[config.model.family], config.task
    if family.layout is None:
        return None
    if data is not None:
        splits = Splits(len(data.train), len(data.validation), sum(map(len, data.tests.values())))
        classes = data.classes
    else:
        assert task.examples is not None, "data that is not looked up says how many examples it has"
        splits = Splits(task.examples.train, task.examples.validation, task.examples.test)
        classes = tuple(task.classes or FEWEST)
    return CellSizes(
        config, family, _shape(config.model, family, teacher_source), KINDS[task.kind].head(classes), splits
    )


def distinct(all_sizes: Iterable[CellSizes]) -> list[CellSizes]:
    """Each object once: cells that differ in their seeds alone share one."""
    return list({id(each): each for each in all_sizes}.values())


def _shape(model: ModelConfig, family: Family, teacher_source: TeacherSource) -> dict[str, Any]:
    """The teacher's config; a teacher from scratch has as many tokens as its tokenizer may have."""
    if not isinstance(model.teacher, FromScratch):
        return teacher_source.config
    return {"vocab_size": model.teacher.tokenizer.vocab_size, **family.scratch_fields, **teacher_source.config}
