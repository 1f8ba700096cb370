"""What a search tried in each group, what it chose, and what that cost, from the records of the candidates."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweep.grid.cells import Cell
from sweep.grid.labels import flatten
from sweep.grid.variation import axis_names, short_value
from sweep.records.archive import ArchivedStudy, Sweep
from sweep.records.records import Records, State
from sweep.tracking.scores import scores
from trainables.wording import count


@dataclass(frozen=True)
class Tried:
    """One candidate of a group."""

    group: str
    number: int
    values: Mapping[str, str]
    """Searched field -> value."""
    score: float | None
    """The best of the main metric on the validation split."""
    metric: str
    status: State
    steps: int
    """The optimiser steps that it has taken."""
    is_chosen: bool
    fingerprint: str


@dataclass(frozen=True)
class GroupSearch:
    """The candidates of a group in their order."""

    group: str
    candidates: tuple[Tried, ...]
    importance: Mapping[str, float]
    """Searched field -> its share of what makes a candidate good; empty before there are scores that differ."""

    @property
    def chosen(self) -> Tried | None:
        """The setting with which the group's cells run; None before the search has ended."""
        return next((each for each in self.candidates if each.is_chosen), None)

    @property
    def num_ended(self) -> int:
        return sum(each.status != "missing" for each in self.candidates)

    @property
    def steps(self) -> int:
        """The optimiser steps that the group has spent."""
        return sum(each.steps for each in self.candidates)


@dataclass(frozen=True)
class SearchReport:
    """The searches of all groups; `names`: searched field -> its short name."""

    groups: tuple[GroupSearch, ...]
    names: Mapping[str, str]
    shared: Sequence[str] = ()
    """The axes whose values share a search, with the value that it ran with."""

    @property
    def sharing(self) -> str:
        """What the search ran with, where its choice holds for other values too; empty where each group has its own."""
        if not self.shared:
            return ""
        return f"It ran with {' and '.join(self.shared)} alone, and its choice holds for every other value too."

    @property
    def importance(self) -> dict[str, float]:
        """Searched field -> the mean of its importance over the groups, the most important field first."""
        known = [group.importance for group in self.groups if group.importance]
        means = {path: statistics.fmean(each[path] for each in known) for path in (self.names if known else ())}
        return dict(sorted(means.items(), key=lambda item: -item[1]))

    @property
    def importance_text(self) -> str:
        """`What makes a setting good: lr 70%, hidden 30% (…).`; empty where nothing is known."""
        shares = ", ".join(f"{self.names[path]} {share:.0%}" for path, share in self.importance.items())
        return f"What makes a setting good: {shares} (PED-ANOVA, mean over the groups)." if shares else ""

    @property
    def budget(self) -> str:
        """Whether the groups have spent the same."""
        steps = {group.steps for group in self.groups}
        tried = {len(group.candidates) for group in self.groups}
        if len(steps) == len(tried) == 1:
            (num_steps,), (num_tried,) = steps, tried
            return f"Each group spent {count(num_steps, 'optimiser step')} on {count(num_tried, 'candidate')}."
        why = "a search that has not ended, failed candidates, train.patience or a baseline make the difference"
        return f"The groups spent from {min(steps)} to {max(steps)} optimiser steps: {why}."

    def text(self, tried: Tried) -> str:
        """The values of a candidate in short: `lr=2e-4 · hidden=3`"""
        return " · ".join(f"{name}={short_value(tried.values[path])}" for path, name in self.names.items())


def of_sweep(sweep: Sweep, records: Records) -> SearchReport | None:
    """The search of a sweep; None if it has none."""
    if not sweep.studies:
        return None
    groups = tuple(_group(study, sweep.searched, records) for study in sweep.studies)
    return SearchReport(groups, axis_names(sweep.searched), sweep.shared)


def _group(study: ArchivedStudy, searched: Sequence[str], records: Records) -> GroupSearch:
    tried = (_tried(study, number, cell, searched, records) for number, cell in enumerate(study.cells))
    return GroupSearch(study.group, tuple(tried), study.importance)


def _tried(study: ArchivedStudy, number: int, cell: Cell, searched: Sequence[str], records: Records) -> Tried:
    record = records.cell(cell.fingerprint)
    result, last = record.result(), record.last_row()
    flat = flatten(cell.config.model_dump(mode="json"))
    return Tried(
        group=study.group,
        number=number,
        values={path: flat[path] if path in flat else _inside(flat, path) for path in searched},
        score=scores(result).validation,
        metric=result.main_metric if result else "",
        status=record.state(),
        steps=result.steps if result else last["step"] if last else 0,
        is_chosen=number == study.chosen,
        fingerprint=cell.fingerprint,
    )


def _inside(flat: Mapping[str, str], path: str) -> str:
    """The value of a field that has keys: `from: 3.0, to: 0.0, until: 0.5`; of a kind without parameters, its name."""
    below = {key.removeprefix(f"{path}."): value for key, value in flat.items() if key.startswith(f"{path}.")}
    return below["kind"] if below.keys() == {"kind"} else ", ".join(f"{key}: {value}" for key, value in below.items())


def candidates_csv(search: SearchReport) -> bytes:
    """One line per candidate."""
    text = io.StringIO()
    columns = ["group", "candidate", *search.names, "score", "metric", "status", "steps", "chosen", "fingerprint"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for tried in (each for group in search.groups for each in group.candidates):
        values = [tried.values[path] for path in search.names]
        ends = [tried.score, tried.metric, tried.status, tried.steps, tried.is_chosen, tried.fingerprint]
        writer.writerow([tried.group, tried.number, *values, *ends])
    return text.getvalue().encode()
