"""Differences of strategies with their intervals and the band of equivalence, as a forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from sweep.report.plots.style import GREY, STYLE, panel
from sweep.verdict.paired import Difference

INK = "#222222"
BAND = "#e4e4e4"


class Part(NamedTuple):
    """The differences of one question, drawn together under its title."""

    title: str
    differences: Sequence[Difference]


def forest_plot(parts: Sequence[Part], margin: float | None, axis: str) -> Figure:
    """One row per difference: its mean, a thick line for the interval that equivalence needs within the band, and a
    thin one for the interval that a difference needs to leave out 0. `axis` names the scale."""
    num_rows = sum(1 + len(part.differences) for part in parts)
    with mpl.rc_context(STYLE):
        figure, axes = panel(0.7 + 0.24 * num_rows)
        if margin is not None:
            axes.axvspan(-margin, margin, color=BAND, linewidth=0)
            axes.annotate(
                "margin", (margin, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
                ha="center", va="bottom", color=GREY, fontsize=8,
            )  # fmt: skip
        axes.axvline(0, color=GREY, linewidth=0.8)
        labels: list[str] = []
        for part in parts:
            labels.append(part.title)
            for each in part.differences:
                height = len(labels)
                for interval, width in ((each.mean, 1.0), (each.narrow, 3.0)):
                    if interval.low is not None and interval.high is not None:
                        axes.plot([interval.low, interval.high], [height] * 2, "-", color=INK, linewidth=width)
                axes.plot(each.mean.value, height, "o", color=INK, markersize=5)
                labels.append(f"{each.first} minus {each.second}")
        axes.set_yticks(range(num_rows), labels)
        axes.set_ylim(num_rows - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(axis)
    return figure
