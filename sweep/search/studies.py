"""All studies of a sweep, as far as the records have the scores of their candidates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from sweep.grid.cells import Cell
from sweep.plan.checks import Checked
from sweep.plan.states import Plan, is_unknown
from sweep.records.records import Records
from sweep.search.groups import groups
from sweep.search.study import Candidate, Outcome, Study
from sweep.spec.search import Search
from sweep.tracking.tags import best_metric
from trainables.wording import count


@dataclass(frozen=True)
class Studies:
    """One study per group of the grid's cells."""

    search: Search
    grid: tuple[Cell, ...]
    """The cells of the grid, whose searched fields have no settled values."""
    studies: tuple[Study, ...]
    records: Records

    @classmethod
    def of(cls, search: Search, cells: Iterable[Cell], records: Records) -> Self:
        """The studies of the grid's cells, made anew from the records."""
        grid = tuple(cells)
        studies = cls(search, grid, tuple(Study(group, search) for group in groups(grid, search)), records)
        studies.advance()
        return studies

    def advance(self) -> None:
        """Tells every round that has ended, and asks the next one."""
        for study in self.studies:
            while study.advance(self.outcome):
                pass

    def outcome(self, candidate: Candidate) -> Outcome:
        """What the records have of the candidate."""
        record = self.records.cell(candidate.cell.fingerprint)
        if result := record.result():
            score = result.metrics[best_metric(result.main_metric)]
            return score if math.isfinite(score) else "failed"
        return "failed" if record.failure() else "open"

    @property
    def num_rounds(self) -> int:
        return math.ceil(self.search.candidates / self.search.at_once)

    @property
    def round_number(self) -> int:
        """The number of the earliest round of any group that has not ended, from 1."""
        return min(len(study.outcomes) for study in self.studies) // self.search.at_once + 1

    @property
    def candidates(self) -> list[Candidate]:
        """Every candidate that has been asked."""
        return [candidate for study in self.studies for candidate in study.candidates]

    @property
    def open_candidates(self) -> list[Candidate]:
        """The candidates of the present rounds that have not ended."""
        return [each for study in self.studies for each in study.round if self.outcome(each) == "open"]

    @property
    def chosen(self) -> list[Cell]:
        """The cells of the groups whose study is done, with the values that it chose, in the order of the grid."""
        cells: dict[str, Cell] = {}
        for study in self.studies:
            if study.is_done and study.best:
                chosen = study.group.chosen(study.best.values)
                cells |= {cell.fingerprint: new for cell, new in zip(study.group.cells, chosen, strict=True)}
        return [cells[cell.fingerprint] for cell in self.grid if cell.fingerprint in cells]

    @property
    def waiting(self) -> list[Cell]:
        """The cells of the grid whose study is not done, or in which every candidate has failed."""
        return [cell for study in self.studies if not (study.is_done and study.best) for cell in study.group.cells]

    def plan(self, checked: Checked) -> tuple[Checked, Plan]:
        """The sweep with the chosen cells, and with those of the grid that still wait for a choice; and its plan."""
        settled = checked.of([*self.chosen, *self.waiting])
        plan = Plan.of(settled, self.records, waiting={cell.fingerprint for cell in self.waiting})
        trials = {
            study.group.cells[0].fingerprint: self.search.candidates - self._num_ended(study)
            for study in self.studies
            if not study.is_done
        }
        return settled, replace(plan, trials=trials)

    def again(self, checked: Checked) -> tuple[Checked, Plan]:
        """The same as `plan`, after what other commands have computed meanwhile."""
        self.advance()
        return self.plan(checked)

    def round(self, checked: Checked) -> tuple[Checked, Plan]:
        """The open candidates as a sweep of their own, and its plan."""
        candidates = checked.of(candidate.cell for candidate in self.open_candidates)
        return candidates, Plan.of(candidates, self.records)

    def describe(self) -> list[str]:
        """`search: 10 groups with 16 candidates each in 4 rounds of 4, with tpe; 40 of 160 candidates have ended`"""
        most = len(self.studies) * self.search.candidates
        ended = f"{sum(map(self._num_ended, self.studies))} of {most} candidates have ended"
        if any(map(is_unknown, self.grid)):
            ended = f"how many of {most} candidates have ended is known once data and teachers are looked up"
        rounds = f"{count(self.num_rounds, 'round')} of {min(self.search.at_once, self.search.candidates)}"
        each = f"{count(len(self.studies), 'group')} with {count(self.search.candidates, 'candidate')} each"
        return [f"search: {each} in {rounds}, with {self.search.sampler}; {ended}"]

    def _num_ended(self, study: Study) -> int:
        return len(study.outcomes) + sum(self.outcome(candidate) != "open" for candidate in study.round)
