"""Cells out of GPU memory in their training: a cohort goes on in halves, a cell alone in smaller micro-batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ray import tune

from sweep.grid.cells import Cell
from sweep.grid.fingerprint import fingerprint
from sweep.jobs.attempts import Context
from sweep.jobs.faults import Fault
from sweep.jobs.teachers import train_teacher
from sweep.jobs.trial import train_cells
from sweep.records.environment import CodeVersion
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.tracking.runs import RunSpec, result_tags
from tests.sweep.tiny import base
from trainables.config import TrialConfig
from trainables.objective import Distillation, FromLabels
from trainables.tasks import read

TRAIN = {"max_steps": 3, "batch_size": 8, "evaluate_every": 1.5}
TEACHER = "teacher"


def limit_examples(monkeypatch: pytest.MonkeyPatch, objective: type[Any], most: int) -> None:
    """Lets the forward pass of a model run out of memory with more examples than these."""
    forward = objective.forward

    def limited(self: Any, batch: dict[str, torch.Tensor]) -> Any:
        if len(batch["input_ids"]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(self, batch)

    monkeypatch.setattr(objective, "forward", limited)


def test_a_model_without_memory_for_its_micro_batch_is_trained_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "report", lambda _: None)
    limit_examples(monkeypatch, Distillation, 3)
    limit_examples(monkeypatch, FromLabels, 4)
    fields = base("bert")
    fields["model"]["finetune"] |= {"max_steps": 2, "batch_size": 8}
    configs = [
        TrialConfig.model_validate({**fields, "train": TRAIN, "dtype": "fp32", "strategy": strategy})
        for strategy in ("forward", "none")
    ]
    data = read(configs[0].task)
    cells = [Cell(each, data.hash, TEACHER, fingerprint(each, data.hash, TEACHER)) for each in configs]
    records = Records(Storage(str(tmp_path)))
    context = Context("memory", str(tmp_path), None, CodeVersion.here(), 1, "a driver")

    ends = train_teacher(cells[0], RunSpec.of_teacher(cells[0], "the teacher", "", {}), context, data)
    ends |= train_cells(cells, [RunSpec.of_cell(cell, cell.fingerprint, "", {}) for cell in cells], context, data)

    assert all(end.done for end in ends.values())
    teacher = records.teacher(TEACHER)
    assert [teacher.attempt(number).num_parts for number in teacher.attempts()] == [1, 2]
    for record in map(records.cell, (cell.fingerprint for cell in cells)):
        starts = [record.attempt(number) for number in record.attempts()]
        assert [(start.cohort, start.num_parts) for start in starts] == [(2, 1), (1, 1), (1, 2), (1, 4)]
        failure, result = record.failure_of(3), record.result()
        assert failure is not None
        assert (failure.fault, failure.by_itself) == (Fault.GPU_MEMORY, False)
        assert result is not None
        assert (result.cohort, result.num_parts, result.steps) == (1, 4, 3)
        assert result_tags(result, record)["micro_batch_parts"] == "4"
        log = (tmp_path / record.root / "attempts/4/log.txt").read_text()
        assert "its micro-batches are computed in 4 parts each, because memory was too small" in log
