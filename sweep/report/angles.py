"""The angles of the students of a section, as a table and in pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.records.records import Records
from sweep.report.picture import Picture
from sweep.report.plots.angles import AngleLine, angle_lines_plot, angle_plot
from sweep.report.results import ResultRow
from sweep.report.summary import NO_MATCHING, Group, Section, init_text
from sweep.report.training import Journals, curve
from sweep.tracking.tags import ACUTE_SHARE, COS_MEAN, angle_metric
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
class Angles:
    """The table and the pictures of the angles of one section; a picture without data is left out."""

    table: list[Angle]
    lines: list[Picture]
    """Figure 1 of the paper."""
    maps: dict[str, Picture]


def draw_angles(section: Section, journals: Journals, records: Records, colours: Mapping[str, str]) -> Angles:
    """Draws the angles from the records of the section's cells."""
    cell_angles = _cell_angles(section, records)
    maps = {stack: _maps(section, stack, cell_angles) for stack in section.stacks}
    return Angles(
        table=[
            _angle(group, stack, journals)
            for stack in section.stacks
            for init in section.inits
            for group in section.of(init)
        ],
        lines=[
            Picture.of(
                angle_lines_plot(lines, f"{stack}, {init_text(init)}", colours),
                f"Mean cosines seen from student state 1 of the {stack}, {init_text(init)}: {section.title}",
            )
            for stack in section.stacks
            for init in section.inits
            if (lines := mean_lines(stack, init, cell_angles))
        ],
        maps={
            stack: Picture.of(angle_plot(each), f"Mean cosines by pair of teacher states, {stack}: {section.title}")
            for stack, each in maps.items()
            if each
        },
    )


def _angle(group: Group, stack: str, journals: Journals) -> Angle:
    start: dict[str, float] = {}
    end: dict[str, float] = {}
    for name in (COS_MEAN, ACUTE_SHARE):
        curves = [curve(journals[row.fingerprint], angle_metric(stack, name))[1] for row in group.rows]
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


def mean_lines(stack: str, init: str, cell_angles: Sequence[tuple[ResultRow, StartAndEnd]]) -> list[AngleLine]:
    """Two lines per strategy, one before training and one after it: means over its cells.

    A pair that no cell has a cosine of is NaN, and a line of such pairs alone is left out.
    """
    ends_of: dict[str, list[NDArray[np.float64]]] = {}
    for row, ends in cell_angles:
        if row.init == init and stack in ends:
            ends_of.setdefault(row.strategy, []).append(seen_from(ends[stack]))
    return [
        AngleLine(strategy, untrained, tuple(cosines))
        for strategy, ends in ends_of.items()
        for untrained, cosines in zip((True, False), np.ma.masked_invalid(ends).mean(0).filled(np.nan), strict=True)
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
                names = (f"{init_text(init)},\nuntrained", f"{init_text(init)},\nafter {row.strategy}")
                maps |= dict(zip(names, ends[stack], strict=True))
                break
    return maps
