"""When the number of a student means little: a note beside it, and a sentence with the cure.

A doubt is found in the records; nothing here changes a number.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sweep.grid.variation import short_value
from sweep.records.journal import JournalRow
from sweep.records.records import Records
from sweep.report.answers import answers
from sweep.report.epochs import epochs
from sweep.report.results import ResultRow
from sweep.tracking.tags import TRAIN_LOSS, eval_metric
from trainables.config import TrialConfig

NOT_FINITE = "not finite"
"""How the reason of a cell begins whose loss was not finite."""
NEAR_CHANCE = 0.1
"""The answers of a student are looked at below this share of the way from chance to its teacher."""
MIN_POINTS = 10
MIN_FALL = 0.02
"""The least part of a loss that a fall must be."""


class Doubt(Enum):
    """A reason why a number means little; the value is the note in a table."""

    TEACHER_AT_CHANCE = "teacher at chance"
    ONE_CLASS = "answers one class only"
    ABOVE_TEACHER = "above its teacher"
    STILL_FALLING = "loss still falls"
    ALL_EQUAL = "all students equal"
    RATE_TOO_HIGH = "rate too high?"


@dataclass(frozen=True)
class Doubtful:
    """One cell with its doubts, and what a cure is told of it."""

    row: ResultRow
    config: TrialConfig
    doubts: tuple[Doubt, ...]
    epochs: str
    """`80 steps are 0.5 epochs`"""

    @property
    def rate(self) -> str:
        return short_value(str(self.config.train.learning_rate))


def find_doubts(
    rows: Sequence[ResultRow],
    configs: Mapping[str, TrialConfig],
    journals: Mapping[str, Sequence[JournalRow]],
    records: Records,
) -> list[Doubtful]:
    """The cells with a doubt, in the order of the rows. `configs` and `journals` are by fingerprint."""
    equal = _all_equal(rows)
    doubtful: list[Doubtful] = []
    for row in rows:
        if row.kind == "cell":
            config, journal = configs[row.fingerprint], journals[row.fingerprint]
            doubts = list(_doubts(row, config, journal, records))
            if row.fingerprint in equal:
                doubts.append(Doubt.ALL_EQUAL)
            if doubts:
                evaluated = [each["step"] for each in journal if eval_metric(row.main_metric) in each["metrics"]]
                num_steps = journal[-1]["step"] if journal else 0
                doubtful.append(Doubtful(row, config, tuple(doubts), epochs(config, num_steps, evaluated)))
    return doubtful


def _doubts(row: ResultRow, config: TrialConfig, journal: Sequence[JournalRow], records: Records) -> Iterable[Doubt]:
    if row.reason.startswith(NOT_FINITE):
        yield Doubt.RATE_TOO_HIGH
    if row.status != "done":
        return
    if row.teacher_test is not None and row.chance is not None and row.teacher_test <= row.chance:
        yield Doubt.TEACHER_AT_CHANCE
    share = row.share_of_teacher
    is_near_chance = config.task.kind == "classification" and (share is None or share < NEAR_CHANCE)
    if is_near_chance and len({each.prediction for each in answers(records.cell(row.fingerprint))}) == 1:
        yield Doubt.ONE_CLASS
    if share is not None and share > 1:
        yield Doubt.ABOVE_TEACHER
    if falls([each["metrics"][TRAIN_LOSS] for each in journal if TRAIN_LOSS in each["metrics"]]):
        yield Doubt.STILL_FALLING


def falls(losses: Sequence[float]) -> bool:
    """Whether the mean of the last fifth lies clearly below that of the fifth before.

    Clearly is by two standard errors and by 2% of it; fewer than ten values say nothing.
    """
    if len(losses) < MIN_POINTS:
        return False
    size = len(losses) // 5
    before, last = losses[-2 * size : -size], losses[-size:]
    fall = statistics.fmean(before) - statistics.fmean(last)
    error = math.sqrt((statistics.variance(before) + statistics.variance(last)) / size)
    return fall > max(2 * error, MIN_FALL * abs(statistics.fmean(before)))


def _all_equal(rows: Iterable[ResultRow]) -> set[str]:
    """The fingerprints of the cells that differ in strategy, and score the same to the last digit."""
    places: dict[tuple[str, ...], list[ResultRow]] = {}
    for row in rows:
        if row.kind == "cell" and row.test is not None:
            places.setdefault((row.model, row.task, row.init), []).append(row)
    return {
        row.fingerprint
        for members in places.values()
        if len({row.strategy for row in members}) > 1 and len({row.test for row in members}) == 1
        for row in members
    }
