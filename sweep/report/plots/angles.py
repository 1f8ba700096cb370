"""Angles as pictures: the paper's Figure 1, and maps of the cosines of all pairs of teacher states.

L student states, M teacher states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sweep.report.plots.style import GREY, STYLE, dashes, panel

MAP_WIDTH = 8.4
COLOURS = mpl.colormaps["Greys"].with_extremes(bad="white", under="#f2c4c4")
COSINES = Normalize(-1, 1)
LEFT_OUT = -2.0
"""The value of a pair without a cosine: it lies below the scale and takes the colour for such values."""


@dataclass(frozen=True)
class AngleLine:
    """One strategy in one stack: mean cosines between teacher states 1 and k, from k = 2, seen from student state 1."""

    strategy: str
    untrained: bool
    cosines: tuple[float, ...]


def angle_lines_plot(lines: Sequence[AngleLine], title: str, colours: Mapping[str, str]) -> Figure:
    """The paper's Figure 1 for one stack and init: one line per strategy over k; grey and dotted before training."""
    with mpl.rc_context(STYLE):
        figure, axes = panel(2.5)
        for line in lines:
            states = range(2, 2 + len(line.cosines))
            if line.untrained:
                axes.plot(states, line.cosines, ":", color=GREY, linewidth=1.1)
            else:
                axes.plot(
                    states, line.cosines, dashes(line.strategy), color=colours[line.strategy], marker=".", linewidth=1.3
                )
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_ylim(-1.05, 1.05)
        axes.set_title(title, loc="left")
        axes.set_ylabel("mean cosine")
        axes.set_xlabel("teacher state k")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
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
        figure = Figure((MAP_WIDTH, 0.9 + 1.5 * len(maps)), layout="constrained")
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
