"""Scores against the size or the speed of models, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from sweep.grid.variation import short_value
from sweep.report.plots.style import GREY, STYLE, panel

MARGIN = 1.6
"""The values beside the least and the largest one, as a factor, so that one shape alone has an axis too."""


class Point(NamedTuple):
    """One model; that of a teacher has no strategy."""

    strategy: str | None
    value: float
    score: float


def size_plot(points: Sequence[Point], axis: str, metric: str, colours: Mapping[str, str]) -> Figure:
    """The test score against a size or a speed on a logarithmic axis: one dot per student, a diamond per teacher."""
    with mpl.rc_context(STYLE):
        figure, axes = panel(2.5)
        for point in points:
            if point.strategy is None:
                axes.plot(point.value, point.score, "D", color=GREY, markersize=6)
                axes.annotate(
                    "teacher", (point.value, point.score), xytext=(0, -6), textcoords="offset points",
                    ha="center", va="top", color=GREY, fontsize=8,
                )  # fmt: skip
            else:
                axes.plot(point.value, point.score, "o", color=colours[point.strategy], markersize=4.5)
        values = [point.value for point in points]
        axes.set_xscale("log")
        axes.set_xlim(min(values) / MARGIN, max(values) * MARGIN)
        axes.margins(y=0.15)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(lambda value, _: short_value(f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(axis)
        axes.set_ylabel(f"test {metric}")
    return figure
