"""The commits of the hub's data sets: a storage pins them at its first sweep and uses them from then on."""

from __future__ import annotations

import json
import re

from sweep.records.storage import Storage
from trainables.config import Hub, TaskConfig
from trainables.errors import InputError
from trainables.tasks.hub import find_revision


class Revisions:
    """The commits of one storage's data sets. Nothing is written before `keep`."""

    def __init__(self, storage_url: str) -> None:
        self._url = storage_url
        self._found: dict[Hub, str] = {}
        """Data set as the config names it, without its configuration -> commit."""

    def pinned(self, task: TaskConfig) -> TaskConfig:
        """The task with the commit that the storage has pinned, else the hub's current one.

        A task without a hub stays as it is. Raises InputError if the hub has no such data set or does not answer.
        """
        if task.hub is None:
            return task
        asked = _asked(task.hub)
        kept = self._kept(asked)
        commit = find_revision(asked.model_copy(update={"revision": kept}) if kept else asked)
        if commit is not None:
            self._found[asked] = commit
        return self.found(task)

    def found(self, task: TaskConfig) -> TaskConfig:
        """The task with the commit that `pinned` found for it; the task itself if there is none."""
        commit = self._found.get(_asked(task.hub)) if task.hub else None
        if task.hub is None or commit is None:
            return task
        return task.model_copy(update={"hub": task.hub.model_copy(update={"revision": commit})})

    def keep(self) -> None:
        """Stores the new commits; commits that are stored already stay."""
        for hub, commit in self._found.items():
            facts = {"path": hub.path, "revision": hub.revision, "commit": commit}
            Storage(self._url).create(_file(hub), json.dumps(facts, indent=1).encode())

    def _kept(self, hub: Hub) -> str | None:
        try:
            content = Storage(self._url).read(_file(hub))
        except (InputError, OSError):
            return None  # a storage that cannot be read is a problem of its own
        return None if content is None else json.loads(content)["commit"]


def _asked(hub: Hub) -> Hub:
    """The data set without its configuration, because all configurations share one commit."""
    return hub.model_copy(update={"name": None})


def _file(hub: Hub) -> str:
    asked = hub.path if hub.revision is None else f"{hub.path}@{hub.revision}"
    return f"datasets/{re.sub(r'[^A-Za-z0-9.@_-]', '--', asked)}.json"
