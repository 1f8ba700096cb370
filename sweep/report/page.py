"""The report of a sweep: one HTML page of tables, figures and findings, which needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report import findings, results, summary
from sweep.report.drawing import draw
from sweep.report.results import ResultRow
from sweep.report.usage import SavedStudent
from sweep.spec.passwords import without_login
from sweep.tracking import views


@dataclass(frozen=True)
class ReportFiles:
    """The full URLs of a report's files."""

    csv: str
    html: str


def write(storage: Storage, sweep: Sweep, rows: Sequence[ResultRow]) -> ReportFiles:
    """Stores the sweep, from which its report can be drawn again, the table as CSV, and the page."""
    sweep.store(storage)
    csv, html = f"{sweep.folder}/results.csv", f"{sweep.folder}/report.html"
    results.write_csv(rows, storage, csv)
    storage.write(html, page(rows, Records(storage), sweep).encode())
    return ReportFiles(storage.full_url(csv), storage.full_url(html))


def best_student(rows: Sequence[ResultRow], sweep: Sweep, records: Records) -> SavedStudent | None:
    """The student that came nearest to its teacher on the validation split, among the students in the storage."""
    configs = {cell.fingerprint: cell.config for cell in sweep.cells}
    for row in summary.ranked(rows):
        record = records.cell(row.fingerprint)
        result = record.result()
        if result and records.storage.list(folder := f"{record.root}/{result.student}"):
            return SavedStudent(row, configs[row.fingerprint], records.storage.full_url(folder))
    return None


def page(rows: Sequence[ResultRow], records: Records, sweep: Sweep) -> str:
    """The whole page. Every text in it is escaped, and figures are images."""
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
    """The address of a run; empty where runs are tracked without a server."""
    if not sweep.tracking_uri.startswith(("http://", "https://")) or not sweep.experiment_id:
        return ""
    return views.page(without_login(sweep.tracking_uri), f"experiments/{sweep.experiment_id}/runs/{run_id}")
