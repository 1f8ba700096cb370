"""Deletes a sweep with the cells and teachers that no other one has: `python -m sweep.verbs.delete NAME`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sweep.records.archive import Outline, names, outlines
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.verbs import call, running
from trainables.errors import InputError, Problem
from trainables.wording import count


def parser() -> argparse.ArgumentParser:
    """The arguments of this verb, with their help."""
    verb = call.parser(
        "delete", "NAME [--yes]", "Deletes a sweep. What another sweep has too stays, and so do runs in MLflow."
    )
    verb.add_argument("name", metavar="NAME", help="the sweep's name")
    verb.add_argument("--yes", action="store_true", help="delete without a question")
    return verb


def main(arguments: Sequence[str] | None = None) -> int:
    """Says what goes and what stays, asks, and deletes; the exit status is 2 where there is no such sweep."""
    options = parser().parse_args(arguments)
    return call.run(lambda: _delete(call.storage(options.storage), options.name, is_sure=options.yes))


def _delete(storage: Storage, name: str, *, is_sure: bool) -> int:
    known = {outline.name: outline for outline in outlines(storage)}
    if name not in known:
        raise InputError([Problem("name", f"got {name!r}; expected one of {', '.join(names(storage))}")])
    own, others = known.pop(name), list(known.values())
    records = Records(storage)
    cells, teachers = _alone(own, others)
    paths = [records.cell(key).root for key in cells] + [records.teacher(key).root for key in teachers]
    running.check(storage, paths, name)
    paths.append(f"sweeps/{name}")  # last, so that a deletion that is cut off can be given again
    size = call.amount(sum(map(storage.size, paths)))
    parts = [count(len(cells), "cell"), count(len(teachers), "teacher")]
    print(f"{name} has {' and '.join(parts)} of its own: {size} with its report.")
    if num_shared := len({cell.fingerprint for cell in own.all_cells}) - len(cells):
        print(f"{count(num_shared, 'cell')} that other sweeps have too, and what they need, will stay.")
    return call.delete(paths, storage, is_sure=is_sure)


def _alone(own: Outline, others: Sequence[Outline]) -> tuple[list[str], list[str]]:
    """The fingerprints and the teachers of a sweep that none of the others has."""
    cells = {cell.fingerprint for cell in own.all_cells}
    cells -= {cell.fingerprint for other in others for cell in other.all_cells}
    teachers = {cell.teacher for cell in own.all_cells}
    teachers -= {cell.teacher for other in others for cell in other.all_cells}
    return sorted(cells), sorted(teachers)


if __name__ == "__main__":
    sys.exit(main())
