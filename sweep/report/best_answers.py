"""What the best student of each model and task answers: a confusion matrix, or a few examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweep.records.records import Records
from sweep.report.answers import Answer, answers
from sweep.report.confusion import Confusion, confusion
from sweep.report.leaderboard import ranked
from sweep.report.results import ResultRow
from trainables.config import TrialConfig
from trainables.predictions import FILE

NUM_EXAMPLES = 5


@dataclass(frozen=True)
class Example:
    """One row with the answers to it; what the files do not hold is None."""

    student: Answer
    teacher: str | None


@dataclass(frozen=True)
class BestAnswers:
    """The answers of the best student of one model and task."""

    row: ResultRow
    confusion: Confusion | None
    examples: list[Example]
    missing: str
    """What the files lack, as a sentence; empty where they lack nothing."""


def best_answers(rows: Sequence[ResultRow], configs: Mapping[str, TrialConfig], records: Records) -> list[BestAnswers]:
    """One per model and task whose answers are classes or texts, in the order of the leaderboard."""
    best: dict[tuple[str, str], ResultRow] = {}
    for row in ranked(rows):
        best.setdefault((row.model, row.task), row)
    shown = [_shown(row, configs[row.fingerprint].task.kind, records) for row in best.values()]
    return [each for each in shown if each]


def _shown(row: ResultRow, kind: str, records: Records) -> BestAnswers | None:
    given = answers(records.cell(row.fingerprint))
    if not given or kind not in ("classification", "generation"):
        return None
    if kind == "classification":
        matrix = confusion(given)
        missing = "" if matrix else f"{FILE} has no right answers, which a confusion matrix needs."
        return BestAnswers(row, matrix, [], missing)
    teacher = {each.row: str(each.prediction) for each in answers(records.teacher(row.teacher))}
    examples = [Example(each, teacher.get(each.row)) for each in given[:NUM_EXAMPLES]]
    lacks = {
        "source": examples[0].student.text,
        "reference": examples[0].student.reference,
        "teacher's answer": examples[0].teacher,
    }
    names = [name for name, value in lacks.items() if value is None]
    return BestAnswers(row, None, examples, f"Not stored for these rows: {', '.join(names)}." if names else "")
