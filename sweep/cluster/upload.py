"""Checks whether a submitted job will have the files that its config names.

A job's working directory is uploaded without the files that `.gitignore` and `.rayignore` exclude. The driver reads
data and plug-ins from it. Every worker reads the teacher's folder, so it must be on storage that all nodes reach.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sweep.spec.messages import quote
from sweep.spec.overlay import assign
from sweep.spec.reading import read_yaml
from sweep.spec.sources import DATA_FILE, FOLDER_OR_ID, PLUGIN
from trainables.errors import Problem

ELSEWHERE = "other machines may not have it"


def problems(config: Path | None, overrides: Sequence[str], root: Path) -> list[Problem]:
    """The files that the config names (None: the demo, without files) and a job with this root would not have."""
    missing: list[Problem] = []
    if config and (reason := _why_not_uploaded(config.absolute(), root)):
        missing.append(Problem("config", f"got {quote(str(config))}; {reason}"))
    for key, text, folder in _paths(config, overrides):
        if reason := _why_missed(key, text, folder, root):
            missing.append(Problem(key, f"got {quote(text)}; {reason}"))
    return missing


def _paths(config: Path | None, overrides: Sequence[str]) -> Iterator[tuple[str, str, Path]]:
    """The files and folders of config and overrides: key, text, and the folder that a relative path starts from."""
    if config:
        yield from _paths_in(read_yaml(config.read_text(encoding="utf-8"), str(config)), config.absolute().parent)
    for override in overrides:
        key, _, text = override.partition("=")
        yield from _paths_in(assign({}, key.split("."), read_yaml(text, key)), Path.cwd())


def _paths_in(tree: Any, folder: Path, at: str = "", key: str = "") -> Iterator[tuple[str, str, Path]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _paths_in(value, folder, f"{at}.{name}", f"{key}.{name}".removeprefix("."))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _paths_in(value, folder, f"{at}[]", f"{key}[{number}]")
    elif isinstance(tree, str) and tree and "://" not in tree and _is_path(tree, folder, at):
        yield key, tree, folder


def _is_path(text: str, folder: Path, at: str) -> bool:
    """Whether the config reads the text as a path: a name that is no folder and does not look like one is a hub id."""
    is_folder = FOLDER_OR_ID.search(at) and (text.startswith((".", "/", "~")) or (folder / text).exists())
    return bool(is_folder or DATA_FILE.search(at) or PLUGIN.search(at))


def _why_missed(key: str, text: str, folder: Path, root: Path) -> str | None:
    path = Path(text).expanduser()
    if key.endswith("teacher"):
        right = "copy it to the cluster's storage and give its path there"
        return f"{ELSEWHERE}, and every worker reads it; {right}" if (folder / path).exists() else None
    if path.is_absolute():
        right = f"give a path below {root} relative to the config, or one that all nodes have"
        return f"{ELSEWHERE}; {right} (--shared says that they have this one)" if path.exists() else None
    return _why_not_uploaded(folder / path, root)


def _why_not_uploaded(path: Path, root: Path) -> str | None:
    """Why a file or folder would be missing from the job's working directory; None if it is not."""
    path, root = path.resolve(), root.resolve()
    if not path.exists():
        return "there is no such file"
    if not path.is_relative_to(root):
        return f"it does not lie below {root}, the folder that is uploaded with the job; move it there"
    inside = [path, *path.parents][: len(path.relative_to(root).parts)]
    if any(_is_ignored(folder, each) for each in inside for folder in each.parents if folder.is_relative_to(root)):
        return "a .gitignore or .rayignore excludes it from the upload; remove it from that file"
    return None


def _is_ignored(folder: Path, path: Path) -> bool:
    """Whether Ray, by its own reading of the folder's ignore files, excludes the path below the folder."""
    from ray._private.runtime_env.packaging import get_excludes_from_ignore_files

    quiet = logging.getLogger(f"{__name__}.quiet")
    quiet.setLevel(logging.ERROR)
    return any(matches(path) for matches in get_excludes_from_ignore_files(folder, True, quiet))
