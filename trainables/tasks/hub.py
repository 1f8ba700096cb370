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
from trainables.tasks.reading import read_tables
from trainables.tasks.rows import SPLITS, Data
from trainables.tasks.tables import Table

if TYPE_CHECKING:
    from trainables.config import Hub, TaskConfig

SplitPart = tuple[str, range]
"""A split of the data set and the indices of its rows, from 0."""

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
        parts = choose({name: len(rows) for name, rows in splits.items()}, task.splits or {})
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


def choose(lengths: Mapping[str, int], specs: Mapping[str, str]) -> dict[str, list[SplitPart]]:
    """The rows of each split of the task, for a data set with splits of these lengths.

    `specs` maps task splits to splits of the data set or to slices in the notation of `datasets` (`train[-2000:]`,
    `train[:10%]`); a split without a spec is the one of the same name. A train split without a spec leaves out the
    rows that other splits take; one with a spec must share no rows with them. Raises InputError.
    """
    all_specs = {name: name for name in SPLITS} | dict(specs)
    problems: list[Problem] = []
    parts: dict[str, list[SplitPart]] = {}
    for name, spec in all_specs.items():
        try:
            parts[name] = _parts(spec, lengths)
        except ValueError as error:
            known = ", ".join(lengths)
            shown = f"got {spec!r}" if name in specs else "got null"
            problems.append(Problem(f"splits.{name}", f"{shown}; the data set has {known}: {error}"))
    if problems:
        raise InputError(problems)
    taken = {
        (split, row) for name, chosen in parts.items() if name != "train" for split, rows in chosen for row in rows
    }
    train = [(split, row) for split, rows in parts["train"] for row in rows]
    rest = [pair for pair in train if pair not in taken]
    if "train" in specs and len(rest) < len(train):
        message = f"got {specs['train']!r}; {len(train) - len(rest)} of its rows are in other splits too"
        raise InputError([Problem("splits.train", message)])
    if len(rest) < len(train):
        parts["train"] = _runs(rest)
    return parts


def _parts(spec: str, lengths: Mapping[str, int]) -> list[SplitPart]:
    import datasets

    try:
        slices: Any = datasets.ReadInstruction.from_spec(spec).to_absolute(dict(lengths))
    except (ValueError, AssertionError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    return [
        (part.splitname, range(part.from_ or 0, lengths[part.splitname] if part.to is None else part.to))
        for part in slices
    ]


def _runs(pairs: list[tuple[str, int]]) -> list[SplitPart]:
    """Consecutive rows joined to ranges, in their order."""
    runs: list[SplitPart] = []
    for split, row in pairs:
        if runs and runs[-1][0] == split and runs[-1][1].stop == row:
            runs[-1] = (split, range(runs[-1][1].start, row + 1))
        else:
            runs.append((split, range(row, row + 1)))
    return runs


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
