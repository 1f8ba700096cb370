"""Values over the steps of a training as pictures: scores, losses, and the hidden loss of each student state.

S student states.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sweep.report.plots.style import STYLE, WIDTH, dashes, panel

Curve = tuple[Sequence[float], Sequence[float]]
"""Optimiser steps and the values at them."""
NUM_COLUMNS = 2


def curve_plot(curves: Mapping[str, Curve], title: str, what: str, colours: Mapping[str, str]) -> Figure:
    """One line per strategy over the steps; `what` names the values."""
    with mpl.rc_context(STYLE):
        figure, axes = panel(2.5)
        _draw(axes, curves, colours)
        axes.set_title(title, loc="left")
        axes.set_xlabel("optimiser step")
        axes.set_ylabel(what)
    return figure


def state_plot(states: Mapping[int, Mapping[str, Curve]], title: str, colours: Mapping[str, str]) -> Figure:
    """The hidden loss of each of the S student states: a small panel per state, one line per strategy."""
    num_rows = math.ceil(len(states) / NUM_COLUMNS)
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH, 0.5 + 1.35 * num_rows), layout="constrained")
        grid = figure.subplots(num_rows, NUM_COLUMNS, squeeze=False, sharex=True)
        for axes, (state, curves) in zip(grid.flat, states.items(), strict=False):
            _draw(axes, curves, colours)
            axes.set_title(f"student state {state}", loc="left")
        for axes in list(grid.flat)[len(states) :]:
            axes.set_axis_off()
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)
        figure.supxlabel("optimiser step", fontsize=9)
    return figure


def mean_curve(curves: Iterable[Curve]) -> Curve:
    """The mean over seeds at the steps that all of them have."""
    tables = [dict(zip(*curve, strict=True)) for curve in curves]
    steps = sorted(set.intersection(*(set(table) for table in tables))) if tables else []
    return steps, [float(np.mean([table[step] for table in tables])) for step in steps]


def _draw(axes: Axes, curves: Mapping[str, Curve], colours: Mapping[str, str]) -> None:
    for strategy, (steps, values) in curves.items():
        marker = "." if len(steps) <= 30 else ""
        axes.plot(steps, values, dashes(strategy), color=colours[strategy], marker=marker, linewidth=1.3)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
