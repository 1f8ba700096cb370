"""All that is to be said of a sweep, gathered once from its records: the page and the terminal show it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report import conclusions, findings, results, search, summary
from sweep.report.cures import cures
from sweep.report.doubts import Doubtful, find_doubts
from sweep.report.evidence import Evidence, gather
from sweep.report.forms import FormLine, form_lines
from sweep.report.leaderboard import Leaderboard, leaderboard, ranked
from sweep.report.results import ResultRow
from sweep.report.search import SearchReport
from sweep.report.summary import Section
from sweep.report.training import Journals
from sweep.report.usage import SavedStudent
from trainables.config import TrialConfig


@dataclass(frozen=True)
class Report:
    """A sweep with the rows of its teachers and cells."""

    storage: Storage
    sweep: Sweep
    rows: tuple[ResultRow, ...]
    journals: Journals
    doubtful: tuple[Doubtful, ...]

    @classmethod
    def of(cls, storage: Storage, sweep: Sweep) -> Report:
        """Reads the rows and the journals from the records."""
        records = Records(storage)
        rows = results.rows(records, sweep.cells, sweep.searched)
        configs = {cell.fingerprint: cell.config for cell in sweep.cells}
        journals = dict(zip(configs, storage.map(lambda key: records.cell(key).journal(), configs), strict=True))
        doubtful = find_doubts(rows, configs, journals, records)
        notes = {each.row.fingerprint: tuple(doubt.value for doubt in each.doubts) for each in doubtful}
        noted = tuple(replace(row, notes=notes.get(row.fingerprint, ())) for row in rows)
        return cls(storage, sweep, noted, journals, tuple(doubtful))

    @property
    def records(self) -> Records:
        return Records(self.storage)

    @cached_property
    def configs(self) -> dict[str, TrialConfig]:
        """The configs of the cells by fingerprint."""
        return {cell.fingerprint: cell.config for cell in self.sweep.cells}

    @property
    def cells(self) -> list[ResultRow]:
        return [row for row in self.rows if row.kind == "cell"]

    @property
    def own_rows(self) -> list[ResultRow]:
        """The rows of the last call: its cells and their teachers."""
        own = set(self.sweep.own) or {row.fingerprint for row in self.cells}
        teachers = {row.teacher for row in self.cells if row.fingerprint in own}
        return [row for row in self.rows if (row.fingerprint in own if row.kind == "cell" else row.teacher in teachers)]

    @property
    def marked(self) -> set[str]:
        """The fingerprints to mark as the last call's; empty where all are."""
        own = set(self.sweep.own)
        return own if own < {row.fingerprint for row in self.cells} else set()

    @cached_property
    def search(self) -> SearchReport | None:
        """What the search of the sweep tried; None if it has none."""
        return search.of_sweep(self.sweep, self.records)

    @cached_property
    def sections(self) -> list[Section]:
        return summary.sections(self.rows)

    @cached_property
    def leaderboard(self) -> Leaderboard:
        return leaderboard(self.rows)

    @cached_property
    def best(self) -> ResultRow | None:
        """The cell that came nearest to its teacher on the validation split; None where no cell has a score."""
        return next(iter(ranked(self.rows)), None)

    @cached_property
    def student(self) -> SavedStudent | None:
        """The best of the students that lie in the storage."""
        for row in ranked(self.rows):
            record = self.records.cell(row.fingerprint)
            result = record.result()
            if result and self.storage.list(folder := f"{record.root}/{result.student}"):
                return SavedStudent(row, self.configs[row.fingerprint], self.storage.full_url(folder))
        return None

    @cached_property
    def evidence(self) -> Evidence:
        return gather(self.sections, self.sweep.verdict, self.records)

    @cached_property
    def headline(self) -> list[str]:
        """What is to be read first: whether matching helps, whether the strategy matters, and which student to use."""
        best = f"{findings.best(self.best)} {findings.cost(self.best)}".rstrip() if self.best else ""
        return [*self._verdicts, *([best] if best else [])]

    @cached_property
    def _verdicts(self) -> list[str]:
        return conclusions.headline(self.evidence) if self.evidence.is_tested else []

    @cached_property
    def form_lines(self) -> list[FormLine]:
        """The best saved student in other forms."""
        return form_lines(self.records, self.student) if self.student else []

    @cached_property
    def sentences(self) -> list[str]:
        """The headline, what makes numbers mean little, and what else the sweep shows."""
        num_students = sum(row.status == "done" for row in self.cells)
        others = [conclusions.rows_in_short(self.evidence), self.evidence.obstacle]
        seen = findings.angles(self.sections) if self._verdicts else findings.overview(self.sections)
        return [*self.headline, *cures(self.doubtful, num_students), *seen, *filter(None, others)]

    @property
    def failures(self) -> list[ResultRow]:
        """The rows that failed, by themselves or for a reason outside."""
        return [row for row in self.rows if row.status == "failed" or row.reason]
