"""Block influence against plain NumPy, and its use as a mapping and as an init."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainables.golden import SHAPES, config, save_teacher
from trainables.cell import Cell
from trainables.cohort import Cohort
from trainables.config import TrialConfig
from trainables.families.states import forward, stacks_of
from trainables.member import Member
from trainables.steps import Schedule
from trainables.tasks.batches import collate


def started(family: str, folder: Path) -> Cell:
    """A cell that is matched by block influence and starts from the most influential blocks."""
    plain = config(family, "forward")
    data = save_teacher(plain, folder)
    fields = plain.model_dump() | {"strategy": "block_influence", "init": "block_influence"}
    trial = TrialConfig.model_validate(fields)
    cohort = Cohort(trial, data, folder, 1)
    return Cell(
        Member(trial, folder, lambda *_: None), cohort, Schedule.of(trial.train, len(data.train)), cohort.device
    )


@pytest.mark.parametrize("family", SHAPES)
def test_mapping_and_init_take_the_blocks_of_the_most_influence(family: str, tmp_path: Path) -> None:
    cell = started(family, tmp_path)
    cohort, num_student = cell.cohort, cell.config.model.student_blocks
    examples = cohort.evaluator.encode(cohort.data.validation)
    with torch.no_grad():
        outputs = forward(cohort.family, cohort.teacher.eval(), collate(examples, cohort.evaluator.pad_id))
    students, teachers = stacks_of(cohort.family, cell.student.model), stacks_of(cohort.family, cohort.teacher)
    for stack, states in outputs.states.items():
        real = [state[outputs.masks[stack]].double().numpy() for state in states]
        cosines = [
            # Qwen3's padding token, which also ends a text, has an embedding of zeros.
            (
                (one * other).sum(1) / np.maximum(np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1), 1e-16)
            ).mean()
            for one, other in pairwise(real)
        ]
        np.testing.assert_allclose(cohort.influence[stack], 1 - np.array(cosines), rtol=1e-5, atol=1e-7)
        chosen = sorted(np.argsort(cosines, kind="stable")[:num_student] + 1)
        matched = [match for state, match in cell.mappings[0][stack].items() if state > 0]
        assert matched == chosen
        for block, number in zip(students[stack], chosen, strict=True):
            source = teachers[stack][number - 1].state_dict()
            for name, weights in block.state_dict().items():
                if name in source:
                    assert torch.equal(weights, source[name])
