"""The scores of a result under the same names for every task: validation, test, and the share of the way. Pure."""

from __future__ import annotations

from typing import NamedTuple

from sweep.records.stored import Result, TeacherResult
from sweep.tracking.tags import SCORE_OF_THE_WAY, SCORE_TEST, SCORE_VALIDATION, best_metric, test_metric


class Scores(NamedTuple):
    """The main metric: the best on the validation split, and the one on the test split. None where it is missing."""

    validation: float | None
    test: float | None


def scores(result: Result | None) -> Scores:
    """The scores of a cell or a teacher; both None without a result."""
    if result is None:
        return Scores(None, None)
    metrics, main = result.metrics, result.main_metric
    return Scores(metrics.get(best_metric(main)), metrics.get(test_metric(main)))


def share(student_score: float | None, teacher_score: float | None, chance: float | None) -> float | None:
    """The share of the way from chance to the teacher's score; None where the teacher is no better than chance."""
    if student_score is None or teacher_score is None or chance is None or teacher_score <= chance:
        return None
    return (student_score - chance) / (teacher_score - chance)


def score_metrics(result: Result, teacher: TeacherResult | None) -> dict[str, float]:
    """The scores as metrics of a run, without those that are missing; `teacher` is that of a cell."""
    own = scores(result)
    way = share(own.test, scores(teacher).test, teacher.chance) if teacher else None
    metrics = {SCORE_VALIDATION: own.validation, SCORE_TEST: own.test, SCORE_OF_THE_WAY: way}
    return {name: value for name, value in metrics.items() if value is not None}
