"""The figures of a report, drawn from numbers: scores by strategy, learning curves, and angles (paper, Figure 1).

L student states, M teacher states.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

# The palette of Okabe and Ito, which suits every kind of colour vision.
INIT_COLOURS = {"random": "#0072B2", "teacher": "#D55E00"}
INIT_LABELS = {"random": "random start", "teacher": "teacher's weights"}
STRATEGY_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
GREY = "#777777"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "sweep",
    "text.parse_math": False,
}
WIDTH = 8.4
COLOURS = mpl.colormaps["PuOr_r"].with_extremes(bad="white", under="#cccccc")
COSINES = Normalize(-1, 1)
LEFT_OUT = -2.0
"""The value of a pair without a cosine: it lies below the scale and takes the colour for such values."""

Curve = tuple[Sequence[float], Sequence[float]]
"""Optimiser steps and the values at them."""
Grouped = tuple[str, str]
"""Strategy and init."""


@dataclass(frozen=True)
class Scale:
    """The metric of a section, and the scores of its teacher and of chance."""

    metric: str
    teacher_score: float | None
    chance: float | None


@dataclass(frozen=True)
class AngleLine:
    """One cell in one stack: mean cosines between teacher states 1 and k, from k = 2, seen from student state 1."""

    stack: str
    init: str
    strategy: str
    untrained: bool
    cosines: tuple[float, ...]


def score_plot(scores: Mapping[Grouped, Sequence[float]], scale: Scale) -> Figure:
    """One row per strategy, one dot per seed, a larger dot for their mean; lines show the teacher and chance."""
    strategies = list(dict.fromkeys(strategy for strategy, _ in scores))
    inits = list(dict.fromkeys(init for _, init in scores))
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH, 1.2 + 0.34 * len(strategies)), layout="constrained")
        axes = figure.subplots()
        for (strategy, init), values in scores.items():
            height = strategies.index(strategy) + 0.22 * (inits.index(init) - (len(inits) - 1) / 2)
            colour = INIT_COLOURS[init]
            if len(values) > 1:
                axes.plot(values, [height] * len(values), "o", color=colour, markersize=3.5, alpha=0.5)
            if values:
                axes.plot(np.mean(values), height, "o", color=colour, markersize=7)
        for init in inits:
            axes.plot([], [], "o", color=INIT_COLOURS[init], markersize=7, label=INIT_LABELS[init])
        _ends(axes, scale)
        axes.set_yticks(range(len(strategies)), strategies)
        axes.set_ylim(len(strategies) - 0.5, -0.5)
        axes.set_xlabel(f"test {scale.metric}")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=len(inits), handletextpad=0.2)
    return figure


def curve_plot(curves: Mapping[Grouped, Curve], scale: Scale) -> Figure:
    """The validation metric over the steps: one panel per init, one line per strategy."""
    strategies = list(dict.fromkeys(strategy for strategy, _ in curves))
    inits = list(dict.fromkeys(init for _, init in curves))
    colours = _colours(strategies)
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH, 2.6), layout="constrained")
        panels = figure.subplots(1, len(inits), sharey=True, squeeze=False)[0]
        for axes, init in zip(panels, inits, strict=True):
            for strategy in strategies:
                steps, values = curves.get((strategy, init), ((), ()))
                dashes = "--" if strategy == "none" else "-"
                colour = colours[strategy]
                axes.plot(steps, values, dashes, color=colour, marker=".", linewidth=1.3, label=strategy)
            axes.set_title(INIT_LABELS[init], loc="left")
            axes.set_xlabel("optimiser step")
        panels[0].set_ylabel(f"validation {scale.metric}")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=6)
    return figure


def angle_lines_plot(lines: Sequence[AngleLine]) -> Figure:
    """The paper's Figure 1: one row per stack, one panel per init, one line per cell over k; dotted before training."""
    stacks = list(dict.fromkeys(line.stack for line in lines))
    inits = list(dict.fromkeys(line.init for line in lines))
    colours = _colours(line.strategy for line in lines)
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH, 0.7 + 2.1 * len(stacks)), layout="constrained")
        grid = figure.subplots(len(stacks), len(inits), squeeze=False, sharex=True, sharey=True)
        for line in lines:
            axes = grid[stacks.index(line.stack)][inits.index(line.init)]
            states = range(2, 2 + len(line.cosines))
            if line.untrained:
                axes.plot(states, line.cosines, ":", color=GREY, linewidth=1.1, label="untrained")
            else:
                axes.plot(states, line.cosines, color=colours[line.strategy], marker=".", label=line.strategy)
        for stack, row in zip(stacks, grid, strict=True):
            row[0].set_ylabel(f"{stack}\nmean cosine")
            for axes in row:
                axes.axhline(0, color=GREY, linewidth=0.8)
                axes.set_ylim(-1.05, 1.05)
        for init, axes in zip(inits, grid[0], strict=True):
            axes.set_title(INIT_LABELS[init], loc="left")
        for axes in grid[-1]:
            axes.set_xlabel("teacher state k")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        # One entry per strategy, whichever panels show it.
        entries = {
            label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(list(entries.values()), list(entries), loc="outside upper left", ncols=6)
    return figure


def angle_plot(maps: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Mean cosines [L, M, M] for i < k: one row of maps per name, one map per student state.

    All maps lie in one image, because the time to draw a figure grows with its number of axes.
    """
    num_columns = max(len(each) for each in maps.values())
    num_states = next(iter(maps.values())).shape[-1]
    pitch = num_states + 1
    image = np.ma.masked_array(np.zeros((len(maps) * pitch - 1, num_columns * pitch - 1)), mask=True)
    upper_MM = np.triu(np.ones((num_states, num_states), bool), 1)
    for row, cosines_LMM in enumerate(maps.values()):
        for column, cosine_MM in enumerate(cosines_LMM):
            region = image[row * pitch :, column * pitch :][:num_states, :num_states]
            region[upper_MM] = np.nan_to_num(cosine_MM, nan=LEFT_OUT)[upper_MM]
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH, 0.9 + 1.5 * len(maps)), layout="constrained")
        axes = figure.subplots()
        axes.imshow(image, cmap=COLOURS, norm=COSINES, interpolation="nearest")
        axes.spines[:].set_visible(False)
        states = np.arange(0, num_states, max(1, num_states // 4))
        for axis, count in ((axes.xaxis, num_columns), (axes.yaxis, len(maps))):
            axis.set_ticks([start * pitch + state for start in range(count) for state in states], [*states] * count)
        middle = (num_states - 1) / 2
        for row, name in enumerate(maps):
            _beside(axes, (0, row * pitch + middle), (-22, 0), f"{name}\nteacher state i", rotation=90)
        for column in range(num_columns):
            _beside(axes, (column * pitch + middle, 1), (0, 4), f"student\nstate {column}")
        axes.set_xlabel("teacher state k")
        figure.colorbar(
            ScalarMappable(COSINES, COLOURS),
            ax=axes,
            label="mean cosine (above 0: acute)",
            shrink=min(1, 1.4 / len(maps)),
            pad=0.02,
        )
    return figure


def svg_uri(figure: Figure) -> str:
    """The figure as a data URI for an `img`, so that no text in it can become markup of the page."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        # savefig would draw the figure twice, the first time only for its layout, which this pass computes too.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def mean_curve(curves: Iterable[Curve]) -> Curve:
    """The mean over seeds at the steps that all of them have."""
    tables = [dict(zip(*curve, strict=True)) for curve in curves]
    steps = sorted(set.intersection(*(set(table) for table in tables))) if tables else []
    return steps, [float(np.mean([table[step] for table in tables])) for step in steps]


def _colours(strategies: Iterable[str]) -> dict[str, str]:
    """One colour per strategy; black for `none`."""
    matching = [strategy for strategy in dict.fromkeys(strategies) if strategy != "none"]
    colours = {name: STRATEGY_COLOURS[i % len(STRATEGY_COLOURS)] for i, name in enumerate(matching)}
    return {**colours, "none": "black"}


def _ends(axes: Axes, scale: Scale) -> None:
    """Draws the scores of the teacher and of chance as lines with their names."""
    for value, name, style in ((scale.teacher_score, "teacher", "-"), (scale.chance, "chance", ":")):
        if value is not None:
            axes.axvline(value, color=GREY, linestyle=style, linewidth=1.1)
            axes.annotate(
                name, (value, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
                ha="center", va="bottom", color=GREY, fontsize=8,
            )  # fmt: skip


def _beside(axes: Axes, place: tuple[float, float], offset: tuple[float, float], text: str, rotation: int = 0) -> None:
    """Writes a text above the axes or, when rotated, to their left.

    `place` is in data units along the axes and runs from 0 to 1 across them.
    """
    coords = ("axes fraction", "data") if rotation else ("data", "axes fraction")
    ha, va = ("right", "center") if rotation else ("center", "bottom")
    axes.annotate(
        text, place, xycoords=coords, xytext=offset, textcoords="offset points",
        ha=ha, va=va, rotation=rotation, multialignment="center",
    )  # fmt: skip
