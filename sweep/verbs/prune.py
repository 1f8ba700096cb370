"""Deletes what no sweep of a storage needs: `python -m sweep.verbs.prune`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sweep.records.records import Record, Records
from sweep.records.storage import Storage
from sweep.students.needed import Needed
from sweep.verbs import call, running
from trainables.wording import count


def parser() -> argparse.ArgumentParser:
    """The arguments of this verb, with their help."""
    verb = call.parser(
        "prune", "[--yes]", "Deletes what no sweep of a storage needs, after it has said how much that is."
    )
    verb.add_argument("--yes", action="store_true", help="delete without a question")
    return verb


def main(arguments: Sequence[str] | None = None) -> int:
    """Says what goes, asks, and deletes."""
    options = parser().parse_args(arguments)
    return call.run(lambda: _prune(call.storage(options.storage), is_sure=options.yes))


def _prune(storage: Storage, *, is_sure: bool) -> int:
    waste = find(Needed(Records(storage)))
    for noun, paths in waste.items():
        if paths:
            print(f"{count(len(paths), noun)}: {call.amount(sum(map(storage.size, paths)))}")
    paths = [path for paths in waste.values() for path in paths]
    if not paths:
        print("There is nothing to delete: the sweeps of the storage need every file.")
        return 0
    running.check(storage, paths)
    return call.delete(paths, storage, is_sure=is_sure)


def find(needed: Needed) -> dict[str, list[str]]:
    """What no sweep needs -> its paths. A record that is needed loses attempts without a part in its result."""
    records, outlines = needed.records, needed.outlines()
    cells = {cell.fingerprint for outline in outlines for cell in outline.all_cells}
    teachers = {cell.teacher for outline in outlines for cell in outline.all_cells}
    kept = {key for outline in outlines for key in needed.students(outline.keep, outline.cells)}
    students: list[str] = []
    attempts: list[str] = []
    for record in [*map(records.cell, sorted(cells)), *map(records.teacher, sorted(teachers))]:
        attempts += _useless_attempts(record)
    for key in sorted(cells - kept):
        if needed.has_student(key) and (result := needed.result(key)):
            students.append(f"{records.cell(key).root}/{result.student}")
    return {
        "cell of no sweep": _others(records.storage, "cells", cells),
        "teacher of no sweep": _others(records.storage, "teachers", teachers),
        "student that no sweep keeps": students,
        "attempt without a result": attempts,
    }


def _others(storage: Storage, folder: str, known: set[str]) -> list[str]:
    return [f"{folder}/{name}" for name in storage.list(folder) if name not in known]


def _useless_attempts(record: Record) -> list[str]:
    """The attempts of a finished record that did not make its result, nor begin what the one that did continues."""
    result = record.result()
    if result is None:
        return []
    useful = record.chain(result.attempt)
    return [f"{record.root}/attempts/{number}" for number in record.attempts() if number not in useful]


if __name__ == "__main__":
    sys.exit(main())
