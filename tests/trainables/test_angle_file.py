"""What a cell measured is what its file gives back, every axis by its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainables.angle_file import AXES, Arrays, History, read, seen_from

L, M, H = 3, 5, 20
STEPS = (0, 40, 80, 120)


def drawn(seed: int) -> Arrays:
    draw = np.random.default_rng(seed)
    pairs = draw.uniform(-1, 1, (L, M, M))
    pairs[:, np.tril_indices(M)[0], np.tril_indices(M)[1]] = np.nan
    return {
        "cos_mean": pairs,
        "acute_share": (pairs + 1) / 2,
        "count": draw.integers(0, 9, (L, M, M)).astype(float),
        "left_out": draw.integers(0, 9, (L, M)).astype(float),
        "histogram": draw.integers(0, 9, (L, M, M, H)).astype(float),
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    history = History()
    for step in STEPS:
        history.add(step, {"encoder": drawn(step), "decoder": drawn(step + 1)})
    history.save(tmp_path / "angles.npz")
    return tmp_path / "angles.npz"


def test_every_step_of_every_stack_comes_back(file: Path) -> None:
    stacks = read(file)
    assert stacks.keys() == {"encoder", "decoder"}
    for stack, shift in (("encoder", 0), ("decoder", 1)):
        found = stacks[stack]
        assert found.step.tolist() == list(STEPS)
        for index, step in enumerate(STEPS):
            wanted = drawn(step + shift)
            for name in ("cos_mean", "acute_share", "count", "left_out"):
                np.testing.assert_array_equal(getattr(found, name)[index], wanted[name])
        for index, step in ((0, STEPS[0]), (1, STEPS[-1])):
            np.testing.assert_array_equal(found.histogram[index], drawn(step + shift)["histogram"])
        assert found.count.dtype == found.histogram.dtype == np.int64


def test_axes_are_named_in_the_file_itself(file: Path) -> None:
    sizes = {
        "step": 4,
        "first_and_last_step": 2,
        "student_state": L,
        "teacher_state": M,
        "teacher_state_i": M,
        "teacher_state_k": M,
        "cosine_bin": H,
    }
    with np.load(file) as arrays:
        for name, axes in AXES.items():
            assert tuple(arrays[f"axes/{name}"]) == axes
            for stack in ("encoder", "decoder"):
                assert arrays[f"{stack}/{name}"].shape == tuple(sizes[axis] for axis in axes)


def test_the_papers_figure_is_one_row_of_the_pairs(file: Path) -> None:
    cos_mean = read(file)["encoder"].cos_mean
    assert seen_from(cos_mean).shape == (4, M - 2)
    assert seen_from(cos_mean)[3].tolist() == [cos_mean[3, 1, 1, k] for k in (2, 3, 4)]
    assert seen_from(cos_mean, student_state=0, teacher_state=3)[:, 0].tolist() == cos_mean[:, 0, 3, 4].tolist()
    assert not np.isnan(seen_from(cos_mean)).any()


def test_one_measurement_is_the_first_and_the_last(tmp_path: Path) -> None:
    history = History()
    history.add(0, {"encoder": drawn(7)})
    history.save(tmp_path / "a.npz")
    found = read(tmp_path / "a.npz")["encoder"]
    assert found.cos_mean.shape == (1, L, M, M)
    np.testing.assert_array_equal(found.histogram[0], found.histogram[1])


def test_a_restored_history_gives_the_same_file(tmp_path: Path) -> None:
    """A checkpoint gives the arrays in an order of its own."""
    history, restored = History(), History()
    for step in (0, 4, 9):
        history.add(step, {"encoder": drawn(step), "decoder": drawn(step + 1)})
    arrays = history.arrays()
    restored.restore(["encoder", "decoder"], [0, 4, 9], {name: arrays[name] for name in sorted(arrays)})
    history.save(tmp_path / "whole.npz")
    restored.save(tmp_path / "restored.npz")
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "restored.npz").read_bytes()


def test_steps_rise() -> None:
    history = History()
    history.add(4, {"encoder": drawn(0)})
    with pytest.raises(AssertionError):
        history.add(4, {"encoder": drawn(1)})


def test_reading_needs_no_torch() -> None:
    code = "import sys, trainables.angle_file; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
