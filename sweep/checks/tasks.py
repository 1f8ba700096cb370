"""The data of every task, read once."""

from __future__ import annotations

from sweep.fingerprint import canonical
from sweep.grid import Draft
from trainables.config import TaskConfig
from trainables.errors import InputError, Problem
from trainables.tasks import read
from trainables.tasks.rows import Data


class Tasks:
    """Reads tasks and remembers their data; None where it is not sound."""

    def __init__(self) -> None:
        self._data: dict[str, Data | None] = {}

    def check(self, draft: Draft) -> list[Problem]:
        """Reads the draft's task if no draft before had it; what is wrong with its data."""
        task: TaskConfig | None = draft.valid.get("task")
        if task is None or _key(task) in self._data:
            return []
        try:
            self._data[_key(task)] = read(task)
        except InputError as error:
            self._data[_key(task)] = None
            return [Problem(draft.where(("task", *path.split("."))), message) for path, message in error.problems]
        return []

    def data(self, draft: Draft) -> Data | None:
        """The data of the draft's task."""
        task: TaskConfig | None = draft.valid.get("task")
        return None if task is None else self._data.get(_key(task))


def _key(task: TaskConfig) -> str:
    return canonical(task.model_dump(mode="json", exclude={"name"}))
