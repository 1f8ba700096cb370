"""The data of every task, which is read once; data of the hub is read at the commit that the storage has pinned."""

from __future__ import annotations

from sweep.grid.blocks import Once
from sweep.grid.cells import Draft
from sweep.grid.fingerprint import canonical, digest
from sweep.plan.checks.splits import split_problems
from sweep.records.revisions import Revisions
from trainables.config import TaskConfig
from trainables.errors import InputError, Problem, raise_all
from trainables.tasks import check, read
from trainables.tasks.guessing import metric_problems
from trainables.tasks.hub import is_folder
from trainables.tasks.rows import Data

NOT_LOOKED_UP = "not looked up "
"""The prefix of a placeholder for the hash of data that a plan does not look up."""


class Tasks:
    """Reads tasks and caches their data; the data of a task with problems is cached as None.

    Without `look_up`, a task of the hub that states its numbers of examples is not downloaded, because a plan needs
    only these.
    """

    def __init__(self, revisions: Revisions, *, look_up: bool = True) -> None:
        self.revisions = revisions
        self._look_up = look_up
        self._data: dict[str, Data | None] = {}
        self._keys = Once[str]()

    def check(self, draft: Draft) -> list[Problem]:
        """The problems of the draft's task and its data, unless an earlier draft had the same task."""
        task: TaskConfig | None = draft.valid.get("task")
        if task is None or self._key(task) in self._data:
            return []
        try:
            self._data[self._key(task)] = self._read(task)
        except InputError as error:
            self._data[self._key(task)] = None
            return [Problem(draft.where(("task", *path.split("."))), message) for path, message in error.problems]
        return []

    def _read(self, task: TaskConfig) -> Data | None:
        if self._stands_alone(task):
            if problems := check(task):
                raise InputError(problems)
            return None
        data = read(self.revisions.pinned(task))
        raise_all(split_problems(task, data) + metric_problems(task, data))
        return data

    def _stands_alone(self, task: TaskConfig) -> bool:
        return not self._look_up and task.hub is not None and task.examples is not None and not is_folder(task.hub)

    def identity(self, draft: Draft) -> str | None:
        """The hash of the draft's data, or its placeholder in a plan; None if the data has problems."""
        task: TaskConfig | None = draft.valid.get("task")
        if task is not None and self._stands_alone(task):
            source = task.model_dump(mode="json", include={"hub", "splits", "sample"})
            return f"{NOT_LOOKED_UP}{digest(source)}"
        data = self.data(draft)
        return data.hash if data else None

    def data(self, draft: Draft) -> Data | None:
        """The data of the draft's task; None if it was not read or has problems."""
        task: TaskConfig | None = draft.valid.get("task")
        return None if task is None else self._data.get(self._key(task))

    def _key(self, task: TaskConfig) -> str:
        return self._keys.of(lambda: canonical(task.model_dump(mode="json", exclude={"name"})), task)
