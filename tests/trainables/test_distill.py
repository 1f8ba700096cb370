"""What a cell leaves in its folder: the angles and states of every evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.trainables.alone import distil
from tests.trainables.golden import config, save_teacher
from trainables.angle_file import Angles, read
from trainables.errors import NotFinite
from trainables.metrics import Metrics

TRAIN = {"max_steps": 5, "batch_size": 2, "accumulation": 2, "learning_rate": 1e-2, "evaluate_every": 0.5}
STEPS = [0, 2, 4, 5]
"""Before training, every half epoch of 4 steps, and the last."""


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, Metrics]]:
    """The folder of a BART cell, and its angle metrics by step."""
    folder = tmp_path_factory.mktemp("cell")
    trial = config("bart", "forward", train=TRAIN, init="random")
    data = save_teacher(trial, folder / "teacher")
    (folder / "made").mkdir()
    reported: dict[int, Metrics] = {}

    def report(step: int, metrics: Metrics) -> None:
        angles = {name: value for name, value in metrics.items() if name.startswith("angle/")}
        if angles:
            reported[step] = angles

    distil(trial, data, folder / "teacher", folder / "made", report)
    return folder / "made", reported


def test_a_student_that_its_last_step_breaks_is_not_finite(tmp_path: Path) -> None:
    trial = config("bart", "forward", train={**TRAIN, "max_steps": 1, "learning_rate": 1e37}, init="random")
    data = save_teacher(trial, tmp_path / "teacher")
    (tmp_path / "made").mkdir()
    with pytest.raises(NotFinite, match=r"^not finite at step 1: loss nan, "):
        distil(trial, data, tmp_path / "teacher", tmp_path / "made", lambda step, metrics: None)
    assert not (tmp_path / "made" / "student").exists()


def pooled(values: np.ndarray, angles: Angles, index: int) -> float:
    """The mean over all pairs, student states and tokens of one step."""
    count = angles.count[index]
    return float((values[index][count > 0] * count[count > 0]).sum() / count.sum())


def test_angles_are_kept_at_every_evaluation(cell: tuple[Path, dict[int, Metrics]]) -> None:
    folder, reported = cell
    stacks = read(folder / "angles.npz")
    assert list(reported) == STEPS
    assert stacks.keys() == {"encoder", "decoder"}
    for stack, angles in stacks.items():
        assert angles.step.tolist() == STEPS
        for index, step in enumerate(STEPS):
            cosine, acute = (pooled(values, angles, index) for values in (angles.cos_mean, angles.acute_share))
            assert reported[step][f"angle/{stack}/cos_mean"] == pytest.approx(cosine, rel=1e-9)
            assert reported[step][f"angle/{stack}/acute_share"] == pytest.approx(acute, rel=1e-9)
        for one, other in zip(angles.cos_mean[:-1], angles.cos_mean[1:], strict=True):
            assert not np.allclose(one, other, rtol=1e-4, equal_nan=True)
        for index, histogram in ((0, angles.histogram[0]), (-1, angles.histogram[1])):
            np.testing.assert_array_equal(histogram.sum(-1), angles.count[index])


def test_states_are_kept_at_every_evaluation(cell: tuple[Path, dict[int, Metrics]]) -> None:
    kept = json.loads((cell[0] / "per_state.json").read_text())
    assert list(kept["steps"]) == [str(step) for step in STEPS]
    assert {stack: len(rms) for stack, rms in kept["teacher_rms"].items()} == {"encoder": 7, "decoder": 7}
    for each in kept["steps"].values():
        assert {stack: len(rms) for stack, rms in each["student_rms"].items()} == {"encoder": 4, "decoder": 4}
        assert {stack: list(pairs) for stack, pairs in each["hidden"].items()} == {
            "encoder": ["0", "1", "2", "3"],
            "decoder": ["0", "1", "2", "3"],
        }
