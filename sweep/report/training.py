"""How the students of a section trained, in pictures: scores, losses, and the hidden loss of each student state."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.records.journal import JournalRow
from sweep.records.records import Records
from sweep.report.picture import Picture
from sweep.report.plots.curves import Curve, curve_plot, mean_curve, state_plot
from sweep.report.summary import Section, init_text
from sweep.tracking.tags import TRAIN_LOSS, TRAIN_LOSS_KL, eval_metric

LOSSES = {TRAIN_LOSS: "training loss", TRAIN_LOSS_KL: "KL to the teacher, training"}
MIN_POINTS = 2
"""A curve of one point shows nothing."""

Journals = Mapping[str, Sequence[JournalRow]]
"""Fingerprint -> the rows of its journal."""


@dataclass(frozen=True)
class Training:
    """The pictures of one section; a picture without data is left out."""

    scores: list[Picture]
    losses: list[Picture]
    states: list[Picture]


def draw_training(section: Section, journals: Journals, records: Records, colours: Mapping[str, str]) -> Training:
    """Draws one picture per init, and of the hidden losses one per init and stack; means over seeds."""
    title = section.title
    return Training(
        scores=_curves(section, journals, colours, eval_metric(section.metric), f"validation {section.metric}"),
        losses=[
            picture for name, what in LOSSES.items() for picture in _curves(section, journals, colours, name, what)
        ],
        states=[
            Picture.of(
                state_plot(states, f"{stack}, {init_text(init)}", colours),
                f"Hidden loss of each student state of the {stack}, {init_text(init)}: {title}",
            )
            for init in section.inits
            for stack, states in _hidden_losses(section, init, records).items()
        ],
    )


def curve(journal: Sequence[JournalRow], metric: str) -> Curve:
    """The values of a metric in a journal, at the steps that have one."""
    points = {row["step"]: row["metrics"][metric] for row in journal if metric in row["metrics"]}
    return list(points), list(points.values())


def _curves(section: Section, journals: Journals, colours: Mapping[str, str], metric: str, what: str) -> list[Picture]:
    pictures: list[Picture] = []
    for init in section.inits:
        curves = _by_strategy(section, init, lambda key: curve(journals[key], metric))
        if any(len(steps) >= MIN_POINTS for steps, _ in curves.values()):
            alt = f"{what.capitalize()} over the steps, {init_text(init)}: {section.title}"
            pictures.append(Picture.of(curve_plot(curves, init_text(init), what, colours), alt))
    return pictures


def _by_strategy(section: Section, init: str, curve_of: Callable[[str], Curve]) -> dict[str, Curve]:
    """Strategy -> the mean of the curves of its finished cells; a strategy without any is left out."""
    curves = {
        group.strategy: mean_curve(curve_of(row.fingerprint) for row in group.rows if row.status == "done")
        for group in section.of(init)
    }
    return {strategy: each for strategy, each in curves.items() if each[0]}


def _hidden_losses(section: Section, init: str, records: Records) -> dict[str, dict[int, dict[str, Curve]]]:
    """Stack -> student state -> strategy -> its hidden loss on the probe, of those that were measured twice or more."""
    steps_of = {
        row.fingerprint: _per_state(records, row.fingerprint) for group in section.of(init) for row in group.rows
    }
    places = {
        (stack, int(state))
        for steps in steps_of.values()
        for measured in steps.values()
        for stack, states in measured["hidden"].items()
        for state in states
    }
    losses: dict[str, dict[int, dict[str, Curve]]] = {}
    for stack, state in sorted(places, key=lambda place: (place[0] != "encoder", place)):
        curves = _by_strategy(section, init, lambda key: _state_curve(steps_of[key], stack, state))  # noqa: B023
        if any(len(steps) >= MIN_POINTS for steps, _ in curves.values()):
            losses.setdefault(stack, {})[state] = curves
    return losses


def _state_curve(steps: Mapping[str, Any], stack: str, state: int) -> Curve:
    points = {
        int(step): measured["hidden"][stack][str(state)]
        for step, measured in steps.items()
        if str(state) in measured["hidden"].get(stack, {})
    }
    return list(points), list(points.values())


def _per_state(records: Records, fingerprint: str) -> dict[str, Any]:
    """Step -> what `per_state.json` says of it; empty where there is no such file."""
    file = records.cell(fingerprint).path("per_state.json")
    return json.loads(file.read_text())["steps"] if file else {}
