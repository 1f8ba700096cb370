"""The report of a sweep: one HTML page with its tables, figures and what they say; needs no network.

    python -m sweep.report STORAGE NAME

draws the report of a sweep again from its records, and shows its tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Console

from sweep import findings, results, summary, terminal, views
from sweep.archive import Sweep
from sweep.drawing import draw
from sweep.passwords import without_login
from sweep.records import Records
from sweep.results import Row
from sweep.storage import Storage
from sweep.usage import Student

NO_SWEEP = 2


@dataclass(frozen=True)
class Files:
    """Where the files of a report are."""

    csv: str
    html: str


def write(storage: Storage, sweep: Sweep, rows: Sequence[Row]) -> Files:
    """Stores what the report needs to be drawn again, the table as CSV, and the page."""
    sweep.store(storage)
    csv, html = f"{sweep.folder}/results.csv", f"{sweep.folder}/report.html"
    results.write_csv(rows, storage, csv)
    storage.write(html, page(rows, Records(storage), sweep).encode())
    return Files(storage.full_url(csv), storage.full_url(html))


def best_student(rows: Sequence[Row], sweep: Sweep, records: Records) -> Student | None:
    """The cell that came nearest to its teacher, of those whose student was kept."""
    configs = {cell.fingerprint: cell.config for cell in sweep.cells}
    for row in summary.ranked(rows):
        record = records.cell(row.fingerprint)
        student = (record.result() or {}).get("student")
        if student and records.storage.list(f"{record.root}/{student}"):
            return Student(row, configs[row.fingerprint], records.storage.full_url(f"{record.root}/{student}"))
    return None


def page(rows: Sequence[Row], records: Records, sweep: Sweep) -> str:
    """The whole page. Every text in it is escaped; figures are images."""
    template = Environment(
        loader=PackageLoader("sweep"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html.j2")
    sections = summary.sections(rows)
    cells = [row for row in rows if row.kind == "cell"]
    return template.render(
        sweep=sweep,
        date=datetime.fromtimestamp(sweep.time / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        counts={status: sum(row.status == status for row in cells) for status in ("done", "failed", "missing")},
        sections=[draw(section, records) for section in sections],
        overview=findings.overview(sections),
        failures=[row for row in rows if row.status == "failed" or row.reason],
        cells=cells,
        number=findings.number,
        percent=findings.percent,
        score=findings.score,
        inits=summary.INITS,
        run_link=lambda run_id: _run_link(sweep, run_id),
    )


def _run_link(sweep: Sweep, run_id: str) -> str:
    """The address of a run, where the tracking URI is a server's."""
    if not sweep.tracking_uri.startswith(("http://", "https://")) or not sweep.experiment_id:
        return ""
    return views.page(without_login(sweep.tracking_uri), f"experiments/{sweep.experiment_id}/runs/{run_id}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Draws a sweep's report again. Exit status: 0, or 2 where the storage has no such sweep."""
    parser = argparse.ArgumentParser(prog="python -m sweep.report", description="Draws a sweep's report again.")
    parser.add_argument("storage", help="path or fsspec URL")
    parser.add_argument("name", help="the sweep's name")
    given = parser.parse_args(arguments)
    storage = Storage(given.storage)
    sweep = Sweep.load(storage, given.name)
    if sweep is None:
        known = ", ".join(storage.list("sweeps")) or "none"
        print(f"name: got {given.name!r}; the sweeps of {given.storage} are: {known}", file=sys.stderr)
        return NO_SWEEP
    records = Records(storage)
    rows = results.rows(records, sweep.cells)
    files = write(storage, sweep, rows)
    terminal.show_results(rows, Console(), best_student(rows, sweep, records), [files.csv, files.html])
    return 0


if __name__ == "__main__":
    sys.exit(main())
