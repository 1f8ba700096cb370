"""Draws the figures of one section of a report and fills its table of angles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.records.journal import JournalRow
from sweep.records.records import Records
from sweep.report import plots
from sweep.report.findings import findings
from sweep.report.results import ResultRow
from sweep.report.summary import INITS, NO_MATCHING, Group, Section
from sweep.tracking.tags import ACUTE_SHARE, COS_MEAN, angle_metric, eval_metric
from trainables.angle_file import read, seen_from

StartAndEnd = dict[str, NDArray[np.float64]]
"""Stack -> mean cosines before training and at its end, [2, L, M, M], L student states and M teacher states."""


@dataclass(frozen=True)
class Angle:
    """The angles of one group of cells in one stack: means over seeds at the start and at the end of training."""

    group: Group
    stack: str
    start: dict[str, float]
    end: dict[str, float]


@dataclass(frozen=True)
class Figures:
    """A section, its findings, and its figures as data URIs. A figure without data is empty."""

    section: Section
    findings: list[str]
    scores: str
    curves: str
    angles: list[Angle]
    lines: str
    """Figure 1 of the paper."""
    maps: dict[str, str]


def draw(section: Section, records: Records) -> Figures:
    """Draws a section. Its curves and angles are read from the records of its cells."""
    scale = plots.Scale(section.metric, section.teacher_test, section.chance)
    journals = {row.fingerprint: records.cell(row.fingerprint).journal() for row in section.rows}
    curves = {
        (group.strategy, group.init): plots.mean_curve(
            _curve(journals[row.fingerprint], eval_metric(section.metric)) for row in group.rows if row.test is not None
        )
        for group in section.groups
    }
    scores = {(group.strategy, group.init): group.scores for group in section.groups}
    angles = _cell_angles(section, records)
    lines = _lines(section, angles)
    return Figures(
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
        lines=plots.svg_uri(plots.angle_lines_plot(lines)) if lines else "",
        maps={
            stack: plots.svg_uri(plots.angle_plot(maps))
            for stack in section.stacks
            if (maps := _maps(section, stack, angles))
        },
    )


def _curve(journal: Sequence[JournalRow], metric: str) -> plots.Curve:
    points = {row["step"]: row["metrics"][metric] for row in journal if metric in row["metrics"]}
    return list(points), list(points.values())


def _angle(group: Group, stack: str, journals: Mapping[str, Sequence[JournalRow]]) -> Angle:
    start: dict[str, float] = {}
    end: dict[str, float] = {}
    for name in (COS_MEAN, ACUTE_SHARE):
        curves = [_curve(journals[row.fingerprint], angle_metric(stack, name))[1] for row in group.rows]
        values = [curve for curve in curves if curve]
        if values:
            start[name] = float(np.mean([curve[0] for curve in values]))
            end[name] = float(np.mean([curve[-1] for curve in values]))
    return Angle(group, stack, start, end)


def _cell_angles(section: Section, records: Records) -> list[tuple[ResultRow, StartAndEnd]]:
    """The angles of the cells that are done. Cells with matching come first."""
    done = [row for row in section.rows if row.status == "done"]
    cell_angles: list[tuple[ResultRow, StartAndEnd]] = []
    for row in sorted(done, key=lambda row: row.strategy == NO_MATCHING):
        file = records.cell(row.fingerprint).path("angles.npz")
        if file is not None:
            cell_angles.append((row, {stack: angles.cos_mean[[0, -1]] for stack, angles in read(file).items()}))
    return cell_angles


def _lines(section: Section, cell_angles: Sequence[tuple[ResultRow, StartAndEnd]]) -> list[plots.AngleLine]:
    """Two lines per cell and stack, one before training and one after it. A line without any cosine is left out."""
    return [
        plots.AngleLine(stack, row.init, row.strategy, untrained, tuple(cosines))
        for stack in section.stacks
        for row, ends in cell_angles
        if stack in ends
        for untrained, cosines in zip((True, False), seen_from(ends[stack]), strict=True)
        if not np.isnan(cosines).all()
    ]


def _maps(
    section: Section, stack: str, cell_angles: Sequence[tuple[ResultRow, StartAndEnd]]
) -> dict[str, NDArray[np.float64]]:
    """Mean cosines [L, M, M] before and after training, of one cell per init, with matching where there is one."""
    maps: dict[str, NDArray[np.float64]] = {}
    for init in section.inits:
        for row, ends in cell_angles:
            if row.init == init and stack in ends:
                names = (f"{INITS[init]},\nuntrained", f"{INITS[init]},\nafter {row.strategy}")
                maps |= dict(zip(names, ends[stack], strict=True))
                break
    return maps
