"""Draws the report of a sweep again from its records: `python -m sweep.report STORAGE NAME`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from sweep.records.archive import Sweep
from sweep.records.storage import Storage
from sweep.report import page, tables
from sweep.report.report import Report
from trainables.errors import InputError

WRONG_CALL = 2


def parser() -> argparse.ArgumentParser:
    """The arguments of this verb, with their help."""
    program = "distillation-sweep report"
    usage = f"{program} STORAGE NAME [--figures]"
    verb = argparse.ArgumentParser(program, usage=usage, description="Draws a sweep's report again from its records.")
    verb.add_argument("storage", metavar="STORAGE", help="the sweep's storage: a path or an fsspec URL")
    verb.add_argument("name", metavar="NAME", help="the sweep's name")
    verb.add_argument("--figures", action="store_true", help="also write every figure as SVG and PDF")
    return verb


def main(arguments: Sequence[str] | None = None) -> int:
    """Draws a sweep's report again. Exits with 0, or with 2 where the storage has no such sweep or a newer format."""
    options = parser().parse_args(arguments)
    try:
        storage = Storage(options.storage)
        report = Report.of(storage, Sweep.load(storage, options.name))
        files = page.write(report, with_figures=options.figures)
        figures = [storage.full_url(f"{report.sweep.folder}/figures")] if options.figures else []
        tables.show_results(report, Console(), [files.csv, files.html, *figures])
    except InputError as error:
        print(error, file=sys.stderr)
        return WRONG_CALL
    return 0


if __name__ == "__main__":
    sys.exit(main())
