"""Tasks from the Hugging Face hub, or from a local folder in the same form, through `datasets`.

A data set is always read at the commit that `find_revision` resolved for it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables import deadline
from trainables.errors import InputError, Problem
from trainables.tasks.findings import Findings
from trainables.tasks.kinds import KINDS
from trainables.tasks.reading import read_tables
from trainables.tasks.rows import Data
from trainables.tasks.splits import SplitPart, choose
from trainables.tasks.tables import Table

if TYPE_CHECKING:
    from trainables.config import Hub, TaskConfig

LOCAL = "give a folder with a copy of the data set instead, or files of your own in task.files"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_folder(hub: Hub) -> bool:
    """Whether the data set is a local folder: its path looks like one, or there is such a folder."""
    return hub.path.startswith(("/", ".", "~")) or Path(hub.path).is_dir()


def find_revision(hub: Hub) -> str | None:
    """The current commit of a hub data set; None for a folder.

    Raises InputError, after at most 10 seconds, where the hub has no such data set or does not answer.
    """
    return None if is_folder(hub) else _resolve(hub.path, hub.revision)


@cache
def _resolve(path: str, revision: str | None) -> str:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]: the base of the hub's own

    if constants.HF_HUB_OFFLINE and revision is not None and _COMMIT.fullmatch(revision):
        return revision  # offline, the cache has this commit
    seconds, errors = deadline.ANSWER_SECONDS, (OSError, ValueError, HTTPError)

    def request() -> str:
        return HfApi().dataset_info(path, revision=revision, timeout=seconds).sha or ""

    try:
        return deadline.within(seconds, request, errors)
    except errors as error:  # TimeoutError is an OSError
        at = f" at revision {revision!r}" if revision else ""
        reason = str(error).strip().split("\n")[0]
        message = f"got {path!r}{at}; there is no such folder, and from the hub: {reason}; {LOCAL}"
        raise InputError([Problem("hub.path", message)]) from None


def read_hub(task: TaskConfig) -> Data:
    """The data of a task's splits. Raises InputError with one problem per split, field and sort of error."""
    assert task.hub is not None
    findings = Findings()
    with _loaded(task.hub, find_revision(task.hub)) as splits:
        lengths = {name: len(rows) for name, rows in splits.items()}
        kind = KINDS[task.kind]
        parts = choose(lengths, task.splits or {}, lambda split, row: kind.stratum(task, splits[split][row]))
        tables = {name: _table(name, rows, splits, findings) for name, rows in parts.items()}
    return read_tables(task, tables, findings)


@contextmanager
def _loaded(hub: Hub, revision: str | None) -> Generator[Mapping[str, Any], None, None]:
    """Split -> its rows. A folder is read anew each time; a hub data set stays in the cache of `datasets`."""
    import datasets
    from datasets.exceptions import DatasetsError

    with tempfile.TemporaryDirectory() as folder:
        local = revision is None
        if local:
            datasets.disable_progress_bars()
        try:
            loaded: Any = datasets.load_dataset(
                str(Path(hub.path).expanduser()) if local else hub.path,
                hub.name,
                revision=revision,
                cache_dir=folder if local else None,
            )
        except (OSError, ValueError, RuntimeError, DatasetsError) as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError([Problem("hub.path", f"got {hub.path!r}; it cannot be read: {reason}; {LOCAL}")]) from None
        yield loaded


def _table(name: str, parts: list[SplitPart], splits: Mapping[str, Any], findings: Findings) -> Table:
    """The records of a split, numbered by their row in the data set's split, from 1."""
    field = f"splits.{name}"
    records = [
        (row + 1, record) for split, rows in parts for row, record in zip(rows, splits[split].select(rows), strict=True)
    ]
    names = " and ".join(dict.fromkeys(split for split, _ in parts)) or name
    if not records:
        findings.add(field, name, "it has no rows, and a split needs one")
    return Table(names, field, records)
