"""Measures metrics of plug-ins on finished models: on their stored answers, or else with the stored models."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from sweep.plan.checks import Checked
from sweep.plan.metrics import Gap, Source, obstacle, sentences, without_value
from sweep.records import own_metrics
from trainables import predictions
from trainables.own_metrics import value_of
from trainables.predictions import Answers
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data

logger = logging.getLogger(__name__)


def measure(gaps: Iterable[Gap], checked: Checked, num_threads: int) -> tuple[list[str], list[str]]:
    """Fills the gaps, which come record by record; returns what was measured and what has no value, as sentences.

    Torch is loaded only where answers are not stored.
    """
    measured: list[tuple[Gap, Source]] = []
    problems: list[str] = []
    for _, group in groupby(gaps, key=lambda gap: gap.record):
        own = list(group)
        if reason := obstacle(own[0], checked.data):
            problems += [without_value(gap, reason) for gap in own]
            continue
        data = checked.data[own[0].cell.data]
        try:
            source, answers = _answers(own[0], data, _class_names(own[0], checked, data), num_threads)
        except ValueError as error:
            problems += [without_value(gap, str(error)) for gap in own]
            continue
        for gap in own:
            try:
                own_metrics.write(gap.record, gap.result, gap.metric, _values(gap, data, answers))
                measured.append((gap, source))
            except Exception as error:  # a plug-in's own code may raise anything
                logger.exception("a metric fails on the answers of %s", gap.label)
                problems.append(without_value(gap, f"it fails with {type(error).__name__}: {error}"))
    return sentences(measured, "was measured"), problems


def _class_names(gap: Gap, checked: Checked, data: Data) -> list[tuple[str, ...]]:
    """The names that its model may have for the classes: those of the data, or those of the teacher's source."""
    source = checked.teacher_sources.get(gap.cell.teacher_hash)
    own: Mapping[str, Any] = (source.config.get("id2label") if source else None) or {}
    return [data.classes, tuple(str(own[key]) for key in sorted(own, key=int))]


def _answers(gap: Gap, data: Data, class_names: Sequence[tuple[str, ...]], num_threads: int) -> tuple[Source, Answers]:
    """The answers to the test splits, and where they come from. Raises ValueError where there are none to be had."""
    config = gap.cell.config
    if "answers" in gap.sources:
        file = gap.record.path(predictions.FILE)
        assert file is not None, "a listed file can be read"
        try:
            return "answers", predictions.read(file, config.task.kind, data.tests, class_names)
        except ValueError:
            if "model" not in gap.sources:
                raise
    from trainables import predict  # loads torch

    folder = gap.record.path(gap.model)
    assert folder is not None, "a listed folder can be read"
    logger.info("the answers of %s are computed with its stored model", gap.label)
    return "model", {
        split: predict.predict(folder, config, rows, data.classes, num_threads) for split, rows in data.tests.items()
    }


def _values(gap: Gap, data: Data, answers: Answers) -> dict[str, float]:
    """The values of the metric on every test split."""
    kind = KINDS[gap.cell.config.task.kind]
    return {
        f"{split}/{name}": value
        for split, rows in data.tests.items()
        for name, value in value_of(gap.metric, answers[split], kind.references(rows), kind.metrics).items()
    }
