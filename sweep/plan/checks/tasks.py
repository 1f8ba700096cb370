"""The data of every task, read once; that of the hub at the commit which the storage keeps to."""

from __future__ import annotations

from sweep.grid.cells import Draft
from sweep.grid.fingerprint import canonical, digest
from sweep.records.revisions import Revisions
from trainables.config import TaskConfig
from trainables.errors import InputError, Problem
from trainables.tasks import check, read
from trainables.tasks.hub import is_folder
from trainables.tasks.rows import Data

NOT_LOOKED_UP = "not looked up "
"""Starts what stands for the hash of data that a plan does without."""


class Tasks:
    """Reads tasks and remembers their data; None where it is not sound.

    Without `look_up`, a task of the hub that states its numbers of examples is not downloaded: a plan needs no more.
    """

    def __init__(self, revisions: Revisions, *, look_up: bool = True) -> None:
        self.revisions = revisions
        self._look_up = look_up
        self._data: dict[str, Data | None] = {}

    def check(self, draft: Draft) -> list[Problem]:
        """Reads the draft's task if no draft before had it; what is wrong with its data."""
        task: TaskConfig | None = draft.valid.get("task")
        if task is None or _key(task) in self._data:
            return []
        try:
            self._data[_key(task)] = self._read(task)
        except InputError as error:
            self._data[_key(task)] = None
            return [Problem(draft.where(("task", *path.split("."))), message) for path, message in error.problems]
        return []

    def _read(self, task: TaskConfig) -> Data | None:
        if self._stands_alone(task):
            if problems := check(task):
                raise InputError(problems)
            return None
        return read(self.revisions.pinned(task))

    def _stands_alone(self, task: TaskConfig) -> bool:
        return not self._look_up and task.hub is not None and task.examples is not None and not is_folder(task.hub)

    def identity(self, draft: Draft) -> str | None:
        """The hash of the draft's data, or what stands for it in a plan; None where the data is not sound."""
        task: TaskConfig | None = draft.valid.get("task")
        if task is not None and self._stands_alone(task):
            source = task.model_dump(mode="json", include={"hub", "splits", "sample"})
            return f"{NOT_LOOKED_UP}{digest(source)}"
        data = self.data(draft)
        return data.hash if data else None

    def data(self, draft: Draft) -> Data | None:
        """The data of the draft's task."""
        task: TaskConfig | None = draft.valid.get("task")
        return None if task is None else self._data.get(_key(task))


def _key(task: TaskConfig) -> str:
    return canonical(task.model_dump(mode="json", exclude={"name"}))
