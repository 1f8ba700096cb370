"""The figures and the table of angles of one section of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep import plots
from sweep.findings import findings
from sweep.records import JournalRow, Records
from sweep.summary import INITS, NO_MATCHING, Group, Section


@dataclass(frozen=True)
class Angle:
    """Angles of the cells of one group in one stack: means over seeds at the start and at the end."""

    group: Group
    stack: str
    start: dict[str, float]
    end: dict[str, float]


@dataclass(frozen=True)
class Drawn:
    """A section with its figures as data URIs."""

    section: Section
    findings: list[str]
    scores: str
    curves: str
    angles: list[Angle]
    maps: dict[str, str]


def draw(section: Section, records: Records) -> Drawn:
    """Draws a section; curves and angles come from the cells' records."""
    scale = plots.Scale(section.metric, section.teacher_test, section.chance)
    journals = {row.fingerprint: records.cell(row.fingerprint).journal() for row in section.rows}
    curves = {
        (group.strategy, group.init): plots.mean_curve(
            _curve(journals[row.fingerprint], f"eval/{section.metric}") for row in group.rows if row.test is not None
        )
        for group in section.groups
    }
    scores = {(group.strategy, group.init): group.scores for group in section.groups}
    return Drawn(
        section=section,
        findings=findings(section),
        scores=plots.svg_uri(plots.score_plot(scores, scale)) if any(scores.values()) else "",
        curves=plots.svg_uri(plots.curve_plot(curves, scale)) if any(steps for steps, _ in curves.values()) else "",
        angles=[
            _angle(group, stack, journals)
            for stack in section.stacks
            for init in section.inits
            for group in section.of(init)
        ],
        maps={
            stack: plots.svg_uri(plots.angle_plot(maps))
            for stack in section.stacks
            if (maps := _maps(section, stack, records))
        },
    )


def _curve(journal: Sequence[JournalRow], metric: str) -> plots.Curve:
    points = {row["step"]: row["metrics"][metric] for row in journal if metric in row["metrics"]}
    return list(points), list(points.values())


def _angle(group: Group, stack: str, journals: Mapping[str, Sequence[JournalRow]]) -> Angle:
    start: dict[str, float] = {}
    end: dict[str, float] = {}
    for name in ("cos_mean", "acute_share"):
        curves = [_curve(journals[row.fingerprint], f"angle/{stack}/{name}")[1] for row in group.rows]
        measured = [values for values in curves if values]
        if measured:
            start[name] = float(np.mean([values[0] for values in measured]))
            end[name] = float(np.mean([values[-1] for values in measured]))
    return Angle(group, stack, start, end)


def _maps(section: Section, stack: str, records: Records) -> dict[str, NDArray[np.float64]]:
    """Mean cosines [L, M, M] before and after training, of one matching cell for each init."""
    maps: dict[str, NDArray[np.float64]] = {}
    for init in section.inits:
        groups = sorted(section.of(init), key=lambda group: group.strategy == NO_MATCHING)
        for row in (row for group in groups for row in group.rows if row.status == "done"):
            file = records.cell(row.fingerprint).path("angles.npz")
            if file is not None:
                maps |= _read_maps(file, stack, f"{INITS[init]},", row.strategy)
                break
    return maps


def _read_maps(file: Path, stack: str, init: str, strategy: str) -> dict[str, NDArray[np.float64]]:
    with np.load(file) as arrays:
        names = {"start": f"{init}\nuntrained", "end": f"{init}\nafter {strategy}"}
        found = {name: f"{stack}/{when}/cos_mean" for when, name in names.items()}
        return {name: arrays[key] for name, key in found.items() if key in arrays}
