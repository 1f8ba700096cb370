"""The files that a config names, as a submitted job will find them: what goes with it, and what could not.

A job's working directory is uploaded, less what `.gitignore` and `.rayignore` name. The driver reads data and plug-ins
from it. A teacher's folder is read by every worker, now and by later sweeps, so it has to lie where all nodes reach it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sweep.spec.messages import shown
from sweep.spec.overlay import assign
from sweep.spec.reading import read_yaml
from sweep.spec.sources import DATA_FILE, FOLDER_OR_ID, PLUGIN
from trainables.errors import Problem

ELSEWHERE = "only this machine may have it"


def problems(config: Path | None, overrides: Sequence[str], root: Path) -> list[Problem]:
    """What the config (None: the demo, which names no file) names that a job with this working directory would miss."""
    found: list[Problem] = []
    if config and (reason := _why_not_uploaded(config.absolute(), root)):
        found.append(Problem("config", f"got {shown(str(config))}; {reason}"))
    for key, text, folder in _named(config, overrides):
        if reason := _why_missed(key, text, folder, root):
            found.append(Problem(key, f"got {shown(text)}; {reason}"))
    return found


def _named(config: Path | None, overrides: Sequence[str]) -> Iterator[tuple[str, str, Path]]:
    """Each file or folder of the config and the overrides: its key, its text, and where a relative one starts."""
    if config:
        yield from _in(read_yaml(config.read_text(encoding="utf-8"), str(config)), config.absolute().parent)
    for override in overrides:
        key, _, text = override.partition("=")
        yield from _in(assign({}, key.split("."), read_yaml(text, key)), Path.cwd())


def _in(tree: Any, folder: Path, at: str = "", key: str = "") -> Iterator[tuple[str, str, Path]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _in(value, folder, f"{at}.{name}", f"{key}.{name}".removeprefix("."))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _in(value, folder, f"{at}[]", f"{key}[{number}]")
    elif isinstance(tree, str) and tree and "://" not in tree and _is_path(tree, folder, at):
        yield key, tree, folder


def _is_path(text: str, folder: Path, at: str) -> bool:
    """As the config reads it: what is no folder and does not start like one is an id of the hub."""
    is_folder = FOLDER_OR_ID.search(at) and (text.startswith((".", "/", "~")) or (folder / text).exists())
    return bool(is_folder or DATA_FILE.search(at) or PLUGIN.search(at))


def _why_missed(key: str, text: str, folder: Path, root: Path) -> str | None:
    path = Path(text).expanduser()
    if key.endswith("teacher"):
        there = "in the cluster's storage, by its path there"
        return f"{ELSEWHERE}, and every worker reads it: name a copy {there}" if (folder / path).exists() else None
    if path.is_absolute():
        right = f"name a file below {root} relative to the config, or one that all nodes have"
        return f"{ELSEWHERE}; {right} (--shared: they have this one)" if path.exists() else None
    return _why_not_uploaded(folder / path, root)


def _why_not_uploaded(path: Path, root: Path) -> str | None:
    """Why a file or folder of this machine would not be in the working directory of a job."""
    path, root = path.resolve(), root.resolve()
    if not path.exists():
        return "there is no such file"
    if not path.is_relative_to(root):
        return f"it does not lie below {root}, which is what goes with the job: move it there"
    inside = [path, *path.parents][: len(path.relative_to(root).parts)]
    if any(_is_ignored(folder, each) for each in inside for folder in each.parents if folder.is_relative_to(root)):
        return "a .gitignore or .rayignore leaves it out of what goes with the job: take it out of there"
    return None


def _is_ignored(folder: Path, path: Path) -> bool:
    """Whether Ray's own reading of the ignore files of this folder leaves out the path below it."""
    from ray._private.runtime_env.packaging import get_excludes_from_ignore_files

    quiet = logging.getLogger(f"{__name__}.quiet")
    quiet.setLevel(logging.ERROR)
    return any(matches(path) for matches in get_excludes_from_ignore_files(folder, True, quiet))
