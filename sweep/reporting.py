"""The end of a sweep: measures what finished cells lack, exports the best student, and reports all cells."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from sweep.plan import metrics
from sweep.plan.checks import Checked
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.report import page, tables
from sweep.report.labels import labels_of
from sweep.report.report import Report
from sweep.report.results import ResultRow
from sweep.report.usage import SavedStudent
from sweep.students import export, measure
from sweep.sweep_run import SweepRun

logger = logging.getLogger(__name__)


@dataclass
class Reporter:
    """Reports a sweep from its records: in files, in MLflow and on the terminal."""

    checked: Checked
    records: Records
    sweep_run: SweepRun
    console: Console
    is_exported: bool = True
    """Whether the best student has the forms that the config asks for."""

    def report(self, sweep: Sweep) -> Sequence[ResultRow]:
        """Reports all cells, failed ones included, and returns the rows of this call."""
        self._measure(sweep)
        report = Report.of(self.records.storage, sweep)
        if self.checked.config.students.export and report.student:
            self._export(report.student, sweep)
        files = page.write(report)
        logger.info("the report is written: %s", files.html)
        importance = report.search.importance if report.search else {}
        self.sweep_run.finish(report.own_rows, labels_of(report.evidence.verdict, importance))
        tables.show_results(report, self.console, [files.csv, files.html])
        run_id = sweep.runs.get(report.student.row.fingerprint) if report.student else None
        if report.student and run_id and self.sweep_run.is_tracked:
            self.sweep_run.publish(report.student, run_id)
        return report.own_rows

    def _measure(self, sweep: Sweep) -> None:
        """Measures the plug-ins' metrics that finished cells and teachers lack; says what was measured, and on what."""
        gaps = metrics.gaps(sweep.cells, self.records)
        done, problems = measure.measure(gaps, self.checked, self.checked.config.resources.cpus)
        for sentence, style in [*((each, "") for each in done), *((each, "red") for each in problems)]:
            logger.info(sentence)
            self.console.print(Text(sentence, style), soft_wrap=True)
        self.sweep_run.add_measured(sweep.cells)

    def _export(self, student: SavedStudent, sweep: Sweep) -> None:
        if reason := export.export_best(student, sweep, self.checked, self.records):
            self.is_exported = False
            logger.warning("the best student is not exported: %s", reason)
            self.console.print(Text(f"The best student is not exported: {reason}", "red"), soft_wrap=True)
