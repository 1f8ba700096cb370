"""The verdict of a sweep as tags and metrics of its run, by which MLflow finds it again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sweep.tracking.tags import (
    IMPORTANCE,
    VERDICT_GAIN,
    VERDICT_MARGIN,
    VERDICT_MATCHING,
    VERDICT_SPREAD,
    VERDICT_STRATEGY,
)
from sweep.verdict.decide import Question
from sweep.verdict.judge import SweepVerdict

TAGS = {Question.MATCHING: VERDICT_MATCHING, Question.STRATEGY: VERDICT_STRATEGY}


class Labels(NamedTuple):
    """What a run is found by."""

    tags: dict[str, str]
    metrics: dict[str, float]


def labels_of(verdict: SweepVerdict, importance: Mapping[str, float] | None = None) -> Labels:
    """The verdicts of the questions that are read first, and the numbers behind them as far as there are any.

    `importance`: searched field -> its share of what makes a setting good.
    """
    tags: dict[str, str] = {}
    metrics = {f"{IMPORTANCE}{path}": share for path, share in (importance or {}).items()}
    for answer in verdict.first:
        tags[TAGS[answer.question]] = answer.verdict.value
        if answer.gain:
            metrics[VERDICT_GAIN] = answer.gain.value
        if answer.question is Question.STRATEGY and answer.differences:
            metrics[VERDICT_SPREAD] = max(abs(each.mean.value) for each in answer.differences)
        if answer.margin.value is not None:
            metrics[VERDICT_MARGIN] = answer.margin.value
    return Labels(tags, metrics)
