"""What to do about doubts, in sentences: one per kind of doubt, whatever the number of its cells. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.report.doubts import Doubt, Doubtful
from sweep.report.formats import capital, number
from trainables.wording import count

MAX_NAMES = 2
OF_A_TASK = (Doubt.TEACHER_AT_CHANCE, Doubt.ALL_EQUAL)
"""These are said once per model and task."""


def cures(doubtful: Sequence[Doubtful], num_students: int) -> list[str]:
    """The sentences, the gravest doubt first. `num_students` is the number of finished cells."""
    sentences: list[str] = []
    for doubt in Doubt:
        groups: dict[tuple[str, ...], list[Doubtful]] = {}
        for each in doubtful:
            if doubt in each.doubts:
                place = (each.row.model, each.row.task) if doubt in OF_A_TASK else ()
                groups.setdefault(place, []).append(each)
        sentences += [_sentence(doubt, concerned, num_students) for concerned in groups.values()]
    return sentences


def _sentence(doubt: Doubt, concerned: Sequence[Doubtful], num_students: int) -> str:
    first, row = concerned[0], concerned[0].row
    is_many = len(concerned) > 1
    some = f"{len(concerned)} of {count(num_students, 'student')} ({_names(concerned)})"
    if num_students == len(concerned):
        some = f"all {count(num_students, 'student')}" if is_many else "the only student"
    rate = f"train.learning_rate (here {', '.join(dict.fromkeys(each.rate for each in concerned))})"
    match doubt:
        case Doubt.TEACHER_AT_CHANCE:
            scores = f"{number(row.teacher_test, row.main_metric)}, and guessing {number(row.chance, row.main_metric)}"
            cure = "no student can learn from it: train it longer (model.finetune)"
            return f"The teacher of {row.model} on {row.task} scores {scores}; {cure}."
        case Doubt.ONE_CLASS:
            cure = f"train longer ({first.epochs}), or raise {rate}"
            return f"{capital(some)} {'give' if is_many else 'gives'} every row the same class: {cure}."
        case Doubt.ABOVE_TEACHER:
            scores = "score above their teacher" if is_many else "scores above its teacher"
            return f"{capital(some)} {scores}: a teacher that is trained longer (model.finetune) may have more to give."
        case Doubt.STILL_FALLING:
            return f"The loss of {some} still falls at the last step: train longer ({first.epochs})."
        case Doubt.ALL_EQUAL:
            cure = f"train longer ({first.epochs}), or raise {rate}"
            score = number(row.test, row.main_metric)
            return f"All {len(concerned)} students of {row.model} on {row.task} score {score}: {cure}."
        case Doubt.RATE_TOO_HIGH:
            cells = f"{count(len(concerned), 'cell')} ({_names(concerned)})"
            return f"The loss of {cells} did not stay finite: a rate too high is the likely cause; lower {rate}."


def _names(concerned: Sequence[Doubtful]) -> str:
    names = [each.row.words for each in concerned]
    more = [f"{len(names) - MAX_NAMES} more"] if len(names) > MAX_NAMES else []
    return ", ".join([*names[:MAX_NAMES], *more])
