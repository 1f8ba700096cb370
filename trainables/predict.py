"""A saved student's predictions for rows of its task, which need not have an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from trainables import device as devices
from trainables import frozen
from trainables.config import TrialConfig
from trainables.evaluate import Evaluator, Questions
from trainables.families import FAMILIES, making
from trainables.tasks.fields import ABSENT, Fields, value_at
from trainables.tasks.findings import Findings
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Row
from trainables.tasks.tables import Table, TableRecord

BATCH_SIZE = 32


@dataclass(frozen=True)
class Input:
    """A row, and whether its record has the right answer."""

    row: Row
    has_answer: bool


def class_names(folder: Path, config: TrialConfig) -> tuple[str, ...]:
    """The classes of a saved student in the order of its outputs; empty for a task without classes."""
    if not KINDS[config.task.kind].head(()).has_labels or KINDS[config.task.kind].loss == "squared_error":
        return ()
    labels: Any = AutoConfig.from_pretrained(folder).id2label
    return tuple(labels[index] for index in sorted(labels))


def read(table: Table, config: TrialConfig, classes: tuple[str, ...], findings: Findings) -> list[Input]:
    """The rows of a table; what is wrong with them goes to `findings`."""
    kind, task = KINDS[config.task.kind], config.task
    inputs: list[Input] = []
    for number, record in table.records:
        whole = _completed(record, kind.blank(task, record, classes))
        rows = kind.read(task, Fields(table.path, number, whole, findings), classes)
        inputs += [Input(row, has_answer=whole is record) for row in rows]
    return inputs


def _completed(record: TableRecord, blank: TableRecord) -> TableRecord:
    """The record itself, or a copy of it with values for the answers that it lacks."""
    lacking = {name: value for name, value in blank.items() if value_at(record, name) in (ABSENT, None)}
    return {**record, **lacking} if lacking else record


def predict(
    folder: Path, config: TrialConfig, rows: Sequence[Row], classes: tuple[str, ...], num_threads: int
) -> list[Any]:
    """The prediction for each row, computed as the student was tested; on a GPU where there is one."""
    family, kind = FAMILIES[config.model.family], KINDS[config.task.kind]
    device = devices.start_clean(num_threads, seed=0)
    dtype = devices.resolve_dtype(config.dtype, gpus=float(device.type == "cuda"))
    model = making.load(family, str(folder), None, kind.head(classes), seed=0).requires_grad_(False)
    devices.place(frozen.hold(model, dtype), device).eval()
    tokenizer = making.load_tokenizer(str(folder))
    evaluator = Evaluator(family, config.task, tokenizer, device, dtype, BATCH_SIZE, classes)
    return Questions(evaluator, rows).predict(model)
