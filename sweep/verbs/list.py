"""Lists the sweeps of a storage: `python -m sweep.verbs.list`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweep.records.archive import Outline, Sweep, names, outlines
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report import findings, results
from sweep.report.leaderboard import ranked
from sweep.verbs import call
from trainables.errors import InputError


def parser() -> argparse.ArgumentParser:
    """The arguments of this verb, with their help."""
    return call.parser("list", "", "Lists the sweeps of a storage: cells, size, when, and the best student.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; the exit status is 2 where the storage holds no sweep."""
    options = parser().parse_args(arguments)
    return call.run(lambda: _list(call.storage(options.storage)))


def _list(storage: Storage) -> int:
    names(storage)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("sweep", "cells", "size", "last run", "best"):
        table.add_column(column, overflow="fold")
    for outline in outlines(storage):
        table.add_row(*map(Text, _line(storage, outline)))
    Console().print(table)
    return 0


def _line(storage: Storage, outline: Outline) -> list[str]:
    """What the table says of a sweep; what it shares with others counts for each of them."""
    records = Records(storage)
    num_done = sum(records.cell(cell.fingerprint).result() is not None for cell in outline.cells)
    roots = [records.cell(cell.fingerprint).root for cell in outline.all_cells]
    roots += sorted({records.teacher(cell.teacher).root for cell in outline.cells})
    size = sum(map(storage.size, [f"sweeps/{outline.name}", *roots]))
    when = datetime.fromtimestamp(outline.time / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    cells = f"{num_done} of {len(outline.cells)} done"
    return [outline.name, cells, call.amount(size), when, _best(storage, outline.name)]


def _best(storage: Storage, name: str) -> str:
    """The best student's words and scores; empty where there is none."""
    try:
        sweep = Sweep.load(storage, name)
    except InputError as error:  # a plug-in of the sweep, for instance, that does not load here
        return str(error)
    best = next(iter(ranked(results.rows(Records(storage), sweep.cells, sweep.searched))), None)
    return findings.best(best).removeprefix("Best: ") if best else ""


if __name__ == "__main__":
    sys.exit(main())
