"""What the verbs share: their parsers, the storage that they work on, errors, and a question before a deletion."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from sweep.records.storage import Storage
from sweep.spec.question import is_agreed
from sweep.spec.sweep import SweepConfig
from trainables.errors import InputError

WRONG_CALL = 2


def parser(name: str, words: str, description: str) -> argparse.ArgumentParser:
    """The parser of a verb; `words` is what its usage shows behind its name. It has `--storage`."""
    program = f"distillation-sweep {name}"
    verb = argparse.ArgumentParser(
        program, usage=f"{program} {words} [--storage URL]".replace("  ", " "), description=description
    )
    verb.add_argument(
        "--storage", metavar="URL", help="the storage: a path or an fsspec URL; default: SWEEP_STORAGE, else ./runs"
    )
    return verb


def storage(url: str | None) -> Storage:
    """The storage of this URL, else the one that a config without a storage uses. Raises InputError."""
    return Storage(SweepConfig(name="any", storage=url).storage_url)


def run(verb: Callable[[], int]) -> int:
    """The exit status of a verb; 2 after printing its problems where its call is wrong."""
    try:
        return verb()
    except InputError as error:
        print(error, file=sys.stderr)
        return WRONG_CALL


def delete(paths: Sequence[str], place: Storage, *, is_sure: bool) -> int:
    """Deletes the paths, after a question unless `is_sure`; returns the exit status."""
    if not is_agreed("Delete them?", is_sure=is_sure):
        print("Nothing is deleted.")
        return 0
    for path in paths:
        place.delete(path)
    print("Deleted.")
    return 0


def amount(num_bytes: int) -> str:
    """`1.3 MB`"""
    size, unit = float(num_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"
