"""Scores as pictures: by strategy, and against a numeric axis of the sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweep.grid.variation import short_value
from sweep.report.plots.style import GREY, STYLE, Scale, dashes, init_colour, panel
from sweep.report.summary import init_text

Grouped = tuple[str, str]
"""Strategy and init."""
MAX_NAME = 50
"""Letters of a strategy's name that fit the width of a panel."""
MIN_DISTANCE = 0.12
"""The least distance of the names of two values, as a share of the axis."""
LOG_RATIO = 5.0
"""An axis whose largest value is this many times its smallest is logarithmic."""


class Dot(NamedTuple):
    """The validation score of one cell at its value of an axis."""

    strategy: str
    value: float
    score: float


def score_plot(scores: Mapping[Grouped, Sequence[float]], scale: Scale) -> Figure:
    """One row per strategy, one dot per seed, a larger dot for their mean; lines show the teacher and chance."""
    strategies = list(dict.fromkeys(strategy for strategy, _ in scores))
    inits = list(dict.fromkeys(init for _, init in scores))
    with mpl.rc_context(STYLE):
        figure, axes = panel(1.1 + 0.5 * len(strategies))
        for (strategy, init), values in scores.items():
            height = strategies.index(strategy) + 0.22 * (inits.index(init) - (len(inits) - 1) / 2)
            colour = init_colour(init)
            if len(values) > 1:
                axes.plot(values, [height] * len(values), "o", color=colour, markersize=3.5, alpha=0.5)
            if values:
                axes.plot(np.mean(values), height, "o", color=colour, markersize=7)
        for init in inits:
            axes.plot([], [], "o", color=init_colour(init), markersize=7, label=init_text(init))
        _ends(axes, scale)
        for row, strategy in enumerate(strategies):
            # Above its dots, where a long name takes nothing from their width.
            name = strategy if len(strategy) <= MAX_NAME else f"{strategy[: MAX_NAME - 1]}…"
            axes.annotate(
                name, (0, row - 0.36), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
                va="center",
            ).set_in_layout(False)  # fmt: skip
        axes.set_yticks(range(len(strategies)), [""] * len(strategies))
        axes.set_ylim(len(strategies) - 0.6, -0.65)
        axes.set_xlabel(f"test {scale.metric}")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=len(inits), handletextpad=0.2)
    return figure


def axis_plot(dots: Sequence[Dot], axis: str, metric: str, colours: Mapping[str, str]) -> Figure:
    """The validation score against an axis: one dot per cell, one line per strategy through the means."""
    with mpl.rc_context(STYLE):
        figure, axes = panel(2.5)
        for strategy in dict.fromkeys(dot.strategy for dot in dots):
            own = [dot for dot in dots if dot.strategy == strategy]
            means = [
                (value, float(np.mean([dot.score for dot in own if dot.value == value])))
                for value in sorted({dot.value for dot in own})
            ]
            axes.plot(*zip(*means, strict=True), dashes(strategy), color=colours[strategy], linewidth=1.3)
            axes.plot([d.value for d in own], [d.score for d in own], "o", color=colours[strategy], markersize=3.5)
        values = sorted({dot.value for dot in dots})
        if values[0] > 0 and values[-1] >= LOG_RATIO * values[0]:
            axes.set_xscale("log")
        ticks = _apart(values, np.log if axes.get_xscale() == "log" else np.asarray)
        axes.set_xticks(ticks, [short_value(str(value)) for value in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel(axis)
        axes.set_ylabel(f"validation {metric}")
    return figure


def _apart(values: Sequence[float], scale: Callable[[Sequence[float]], Any]) -> list[float]:
    """Those of the ascending values whose names have room on the axis: the first, the last, and what lies far enough
    from both and from each other."""
    places = dict(zip(values, scale(values), strict=True))
    room = MIN_DISTANCE * (places[values[-1]] - places[values[0]])
    chosen = [values[0]]
    for value in values[1:-1]:
        if places[value] - places[chosen[-1]] >= room and places[values[-1]] - places[value] >= room:
            chosen.append(value)
    return [*chosen, values[-1]] if len(values) > 1 else chosen


def _ends(axes: Axes, scale: Scale) -> None:
    """Draws the scores of the teacher and of chance as lines, each with its name on the side away from the other."""
    teacher, chance = scale.teacher_score, scale.chance
    chance_is_left = teacher is None or chance is None or chance <= teacher
    for value, name, style, is_left in (
        (teacher, "teacher", "-", not chance_is_left),
        (chance, "chance", ":", chance_is_left),
    ):
        if value is not None:
            axes.axvline(value, color=GREY, linestyle=style, linewidth=1.1)
            axes.annotate(
                name, (value, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
                ha="right" if is_left else "left", va="bottom", color=GREY, fontsize=8,
            )  # fmt: skip
