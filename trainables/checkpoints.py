"""Checkpoints: the state of a training and its best model so far, saved through an interface that the caller gives."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from trainables.state import State

BEST = "best"
"""The folder of the best model so far within a checkpoint; absent before the first evaluation."""


class Checkpoints(Protocol):
    """The storage of the checkpoints of one cell or teacher, which may be read on another machine."""

    def save(self, step: int, folder: Path) -> None:
        """Stores the files of a temporary folder as the checkpoint after a step.

        The previous checkpoint must stay until this one is complete.
        """
        ...

    def latest(self) -> Path | None:
        """A folder with the files of the last complete checkpoint; None: there is no checkpoint."""
        ...


def save(checkpoints: Checkpoints, step: int, state: State, best: Path) -> None:
    """Saves a checkpoint; `best` is the folder of the best model and may not exist yet."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        state.write(folder)
        if best.exists():
            shutil.copytree(best, folder / BEST)
        checkpoints.save(step, folder)


def latest(checkpoints: Checkpoints, best: Path) -> State | None:
    """The state of the last checkpoint, whose best model is copied to `best`; None: there is no checkpoint."""
    folder = checkpoints.latest()
    if folder is None:
        return None
    if (folder / BEST).exists():
        shutil.copytree(folder / BEST, best, dirs_exist_ok=True)
    return State.read(folder)
