"""Shows the results of a sweep from its records and writes nothing: `python -m sweep.verbs.show NAME`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from sweep.records.archive import Sweep
from sweep.records.storage import Storage
from sweep.report import tables
from sweep.report.report import Report
from sweep.verbs import call


def parser() -> argparse.ArgumentParser:
    """The arguments of this verb, with their help."""
    verb = call.parser("show", "NAME", "Shows the tables, findings and best student of a sweep.")
    verb.add_argument("name", metavar="NAME", help="the sweep's name")
    return verb


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the results; the exit status is 2 where the storage has no such sweep."""
    options = parser().parse_args(arguments)
    return call.run(lambda: _show(call.storage(options.storage), options.name))


def _show(storage: Storage, name: str) -> int:
    sweep = Sweep.load(storage, name)
    files = [f"{sweep.folder}/{file}" for file in ("results.csv", "report.html")]
    tables.show_results(Report.of(storage, sweep), Console(), list(map(storage.full_url, files)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
