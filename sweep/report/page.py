"""The report of a sweep: one HTML page of tables, figures and findings, which needs no network."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sweep.grid import labels
from sweep.report import conclusions, formats, publication, results, summary
from sweep.report.address import run_link
from sweep.report.axes import draw_axes
from sweep.report.best_answers import best_answers
from sweep.report.drawing import draw
from sweep.report.folding import folded
from sweep.report.picture import collected
from sweep.report.plots.style import palette
from sweep.report.proof import proof
from sweep.report.report import Report
from sweep.report.search import candidates_csv
from sweep.report.sizes import draw_sizes, size_lines
from sweep.tracking.tags import test_metric
from sweep.verdict.whole import WHOLE
from trainables.own_metrics import names
from trainables.size import BATCHES
from trainables.tasks.kinds import KINDS

NUM_LEADERS = 20
"""The lines of the leaderboard that are not folded."""


@dataclass(frozen=True)
class ReportFiles:
    """The full URLs of a report's files."""

    csv: str
    html: str


def write(report: Report, *, with_figures: bool = False) -> ReportFiles:
    """Stores the sweep, from which its report can be drawn again, its tables as CSV and LaTeX, and the page.

    With figures every picture of the page is stored as SVG and PDF too.
    """
    storage, sweep = report.storage, report.sweep
    sweep.store(storage)
    csv, html = f"{sweep.folder}/results.csv", f"{sweep.folder}/report.html"
    results.write_csv(report.rows, storage, csv)
    if report.search:
        storage.write(f"{sweep.folder}/candidates.csv", candidates_csv(report.search))
    for name, content in publication.files(report).items():
        storage.write(f"{sweep.folder}/{name}", content)
    with collected() if with_figures else nullcontext({}) as figures:
        storage.write(html, page(report).encode())
    if with_figures:
        storage.delete(f"{sweep.folder}/figures")
        for name, content in figures.items():
            storage.write(f"{sweep.folder}/figures/{name}", content)
    return ReportFiles(storage.full_url(csv), storage.full_url(html))


def page(report: Report) -> str:
    """The whole page. Every text in it is escaped, and figures are images."""
    template = Environment(
        loader=PackageLoader("sweep"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html.j2")
    return template.render(folded=folded, **_summary(report), **_pictures(report), **_words(report))


def _summary(report: Report) -> dict[str, Any]:
    """What the page says of all cells."""
    return {
        "sweep": report.sweep,
        "date": datetime.fromtimestamp(report.sweep.time / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "counts": {
            status: sum(row.status == status for row in report.cells) for status in ("done", "failed", "missing")
        },
        "headline": report.headline,
        "sentences": report.sentences,
        "variance": report.evidence.variance,
        "not_estimated": conclusions.not_estimated(report.evidence.variance.missing),
        "of_angles": conclusions.of_angles(report.evidence),
        "leaderboard": report.leaderboard,
        "own_metrics": {name: test_metric(name) for name in _own_metrics(report)},
        "teachers": [row for row in report.rows if row.kind == "teacher"],
        "marked": report.marked,
        "failures": report.failures,
        "search": report.search,
    }


def _own_metrics(report: Report) -> list[str]:
    """The metrics of plug-ins that are no task's main one."""
    tasks = [config.task for config in report.configs.values()]
    mains = {KINDS[task.kind].main_metric(task) for task in tasks}
    return [name for kind in dict.fromkeys(task.kind for task in tasks) for name in names(kind) if name not in mains]


def _pictures(report: Report) -> dict[str, Any]:
    """Its pictures, in one set of colours, and what the best students answer."""
    strategies = list(dict.fromkeys(row.strategy for row in report.cells))
    colours = palette(strategies)
    return {
        "strategies": strategies,
        "colours": colours,
        "best_answers": best_answers(report.rows, report.configs, report.records),
        "axis_pictures": draw_axes(report.rows, colours),
        "student": report.student,
        "form_lines": report.form_lines,
        "size_pictures": draw_sizes(report.rows, colours),
        "size_lines": size_lines(report.rows),
        "whole": proof(WHOLE, "all comparisons", report.evidence),
        "sections": [
            draw(section, report.journals, report.records, colours, report.evidence) for section in report.sections
        ],
    }


def _words(report: Report) -> dict[str, Any]:
    """How it writes numbers, names and addresses."""
    return {
        "batches": BATCHES,
        "init_text": summary.init_text,
        "note": formats.note,
        "pairs": labels.pairs,
        "number": formats.number,
        "num_leaders": NUM_LEADERS,
        "percent": formats.percent,
        "three_digits": formats.three_digits,
        "run_link": lambda run_id: run_link(report.sweep, run_id),
        "score": formats.score,
    }
