"""Merges the sources of a config into one mapping: the file, its profiles and the overrides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sweep.spec.fields import guess
from sweep.spec.messages import Path as KeyPath
from sweep.spec.messages import dotted, quote
from sweep.spec.overlay import assign, merge
from sweep.spec.reading import read_yaml
from sweep.spec.search import Span
from trainables.errors import InputError, Problem
from trainables.tasks.fields import has_lone_surrogate

DEMO = Path(__file__).parents[1] / "configs" / "demo.yaml"
EXAMPLE = Path(__file__).parents[1] / "templates" / "example.yaml"


def read_sources(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """One mapping with absolute data paths; overrides take precedence over profiles, profiles over the file.

    Raises InputError with every problem.
    """
    fields = absolute(_read_file(path), path.absolute().parent)
    problems = _text_problems(fields)
    settings: list[tuple[str, Any]] = []
    for override in overrides:
        key, _, text = override.partition("=")
        try:
            value = read_yaml(text, key)
        except InputError as error:
            problems += error.problems
        else:
            settings.append((key, value))
            problems += _text_problems(value, (key,))
    for name in [value for key, value in settings if key == "profile"]:
        profiles = fields.get("profiles") or {}
        if isinstance(profiles, dict) and isinstance(block := profiles.get(str(name)), dict):
            fields = merge(fields, block)
        else:
            hint = guess(str(name), profiles) if profiles else "this config has no profiles"
            problems.append(Problem("profile", f"got {quote(name)}; {hint}"))
    for key, value in settings:
        if key != "profile":
            try:
                fields = _override(fields, key, value)
            except KeyError as error:
                problems.append(Problem(key, f"got a key inside {error.args[0]}, which has no keys"))
    if problems:
        raise InputError(problems)
    return fields


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = f"it cannot be read: {error.strerror}" if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InputError([Problem("config", f"got {str(path)!r}; {reason}")]) from None
    value = read_yaml(text, str(path))
    if not isinstance(value, dict | None):
        raise InputError(
            [Problem(str(path), f"got {quote(value)}; give a mapping, such as the one that --example prints")]
        )
    return value or {}


def _text_problems(content: Any, above: KeyPath = ()) -> list[Problem]:
    """One problem per key or text that UTF-8 cannot hold; YAML can write it as `"\\ud800"`."""
    message = "expected text without surrogates (U+D800 to U+DFFF), which UTF-8 cannot hold"
    return [
        Problem(dotted(path).encode(errors="backslashreplace").decode(), f"got {quote(text)}; {message}")
        for path, text in _texts(content, above)
        if has_lone_surrogate(text)
    ]


def _texts(content: Any, above: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every key and every text of the content, with its path."""
    if isinstance(content, str):
        yield above, content
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _texts(value, (*above, index))
    elif isinstance(content, dict):
        for key, value in content.items():
            if isinstance(key, str):
                yield (*above, key), key
            yield from _texts(value, (*above, key))


def _keys(key: str) -> list[str]:
    """The keys of an override. An axis or a searched field is named by a dotted path, which is one key."""
    if key.startswith("axes."):
        return key.split(".", 1)
    if not key.startswith("search.fields."):
        return key.split(".")
    field = key.removeprefix("search.fields.")
    path, _, last = field.rpartition(".")
    return ["search", "fields", *([path, last] if path and last in Span.model_fields else [field])]


def _override(fields: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    path = _keys(key)
    setting: Any = absolute(assign({}, path, value), Path.cwd())
    for step in path:
        setting = setting[step]
    return assign(fields, path, setting)


# `[]` stands for an item of a list: an axis is a list of values of its field.
DATA_FILE = re.compile(r"(^|\.)task(\[\])?\.files(\[\])?\.\w+(\[\])?$")
PLUGIN = re.compile(r"^(\.profiles\.[^.]+)?\.plugins\[\]$")
FOLDER_OR_ID = re.compile(r"(^|\.)(model(\[\])?\.teacher|task(\[\])?\.hub(\[\])?\.path)(\[\])?$")


def absolute(tree: Any, folder: Path, at: str = "") -> Any:
    """The tree with paths of data files, plug-ins and folders made absolute, relative to `folder`.

    A teacher or data set is a hub id, and stays as it is, unless such a folder exists or it starts like a path.
    """
    if isinstance(tree, dict):
        return {key: absolute(value, folder, f"{at}.{key}") for key, value in tree.items()}
    if isinstance(tree, list):
        return [absolute(value, folder, f"{at}[]") for value in tree]
    if not isinstance(tree, str) or "://" in tree or not tree:
        return tree
    path = folder / Path(tree).expanduser()
    is_folder = FOLDER_OR_ID.search(at) and (tree.startswith((".", "/", "~")) or path.exists())
    is_file = DATA_FILE.search(at) or PLUGIN.search(at)
    return str(path.absolute()) if is_file or is_folder else tree
