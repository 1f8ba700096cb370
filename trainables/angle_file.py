"""`angles.npz`: the angle statistics of a cell at every evaluation, from before training to its end.

    each name follows that of its stack: encoder/cos_mean, decoder/left_out, ...
    cos_mean, acute_share, count   [step, student state, teacher state i, teacher state k]   filled where i < k
    left_out                       [step, student state, teacher state]                      tokens left out
    histogram                      [first and last step, student state, i, k, bin]           equal bins from -1 to 1
    step                           [step]                                                    optimiser steps
    axes/<statistic>               the names of its axes, in order

This module needs only NumPy, so that anyone can `read` the file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

_PAIRS = ("student_state", "teacher_state_i", "teacher_state_k")
AXES = {
    "cos_mean": ("step", *_PAIRS),
    "acute_share": ("step", *_PAIRS),
    "count": ("step", *_PAIRS),
    "left_out": ("step", "student_state", "teacher_state"),
    "histogram": ("first_and_last_step", *_PAIRS, "cosine_bin"),
}
"""Statistic -> the names of its axes."""

_EVERY_STEP = ("cos_mean", "acute_share", "count", "left_out")
_COUNTS = ("count", "left_out", "histogram")


@dataclass(frozen=True)
class Angles:
    """The angles of one stack of one cell; axes are as in `AXES`, and NaN marks missing measurements."""

    step: NDArray[np.int64]
    cos_mean: NDArray[np.float64]
    acute_share: NDArray[np.float64]
    count: NDArray[np.int64]
    left_out: NDArray[np.int64]
    histogram: NDArray[np.int64]


def seen_from(cos_mean: NDArray[np.float64], student_state: int = 1, teacher_state: int = 1) -> NDArray[np.float64]:
    """The paper's Figure 1 from `Angles.cos_mean`: [step, k], the pairs of `teacher_state` with each higher k."""
    return cos_mean[..., student_state, teacher_state, teacher_state + 1 :]


@dataclass
class History:
    """The measurements of a cell so far."""

    steps: list[int] = field(default_factory=list)
    _measured: list[dict[str, Arrays]] = field(default_factory=list)

    def add(self, step: int, stacks: dict[str, Arrays]) -> None:
        """Adds the `AngleStatistics.arrays` of each stack; steps must rise. Only the first and last histograms stay."""
        assert not self.steps or step > self.steps[-1]
        self.steps.append(step)
        self._measured.append({stack: _typed(arrays) for stack, arrays in stacks.items()})
        for earlier in self._measured[1:-1]:
            for arrays in earlier.values():
                arrays.pop("histogram", None)

    def arrays(self) -> Arrays:
        """All measurements, named by the index of the step, the stack and the statistic."""
        return {
            f"{number}/{stack}/{name}": array
            for number, stacks in enumerate(self._measured)
            for stack, arrays in stacks.items()
            for name, array in arrays.items()
        }

    def restore(self, stacks: Collection[str], steps: Sequence[int], arrays: Arrays) -> None:
        """Continues from the `arrays` of these stacks and steps; the arrays may be in any order."""
        self.steps = list(steps)
        self._measured = [{stack: {} for stack in stacks} for _ in steps]
        for key, array in arrays.items():
            number, stack, name = key.split("/")
            self._measured[int(number)][stack][name] = array

    def save(self, path: Path) -> None:
        """Writes the file."""
        arrays: dict[str, Any] = {f"axes/{name}": np.array(axes) for name, axes in AXES.items()}
        first, last = self._measured[0], self._measured[-1]
        for stack in first:
            arrays[f"{stack}/step"] = np.array(self.steps)
            arrays[f"{stack}/histogram"] = np.stack([first[stack]["histogram"], last[stack]["histogram"]])
            for name in _EVERY_STEP:
                arrays[f"{stack}/{name}"] = np.stack([measured[stack][name] for measured in self._measured])
        np.savez_compressed(path, **arrays)


def _typed(arrays: Arrays) -> Arrays:
    """The arrays, with counts as integers."""
    return {name: array.astype(np.int64) if name in _COUNTS else array for name, array in arrays.items()}


def read(path: Path) -> dict[str, Angles]:
    """Stack -> its angles."""
    with np.load(path) as arrays:
        stacks = [name.removesuffix("/step") for name in arrays.files if name.endswith("/step")]
        return {
            stack: Angles(arrays[f"{stack}/step"], **{name: arrays[f"{stack}/{name}"] for name in AXES})
            for stack in stacks
        }
