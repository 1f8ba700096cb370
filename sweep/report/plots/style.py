"""What all pictures of a report share: their size, their colours, and the way into the page.

A colour has one meaning on the whole page: orange and blue are the inits, as in the paper's Figure 1, greys are
cosines, and every other colour is a strategy.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from sweep.report.summary import NO_MATCHING

INIT_COLOURS = {"random": "#E69F00", "teacher": "#0072B2"}
OTHER_INIT_COLOUR = "#D55E00"
STRATEGY_COLOURS = ("#117733", "#CC6677", "#44AA99", "#AA4499", "#999933", "#882255", "#DDCC77")
"""From the muted palette of Paul Tol, which suits every kind of colour vision, without its blues."""
NO_MATCHING_COLOUR = "#000000"
GREY = "#777777"
WIDTH = 4.2
"""Inches: as wide as a phone at the size of the page's text."""
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
    "pdf.fonttype": 42,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Scale:
    """The metric of a section, and the scores of its teacher and of chance."""

    metric: str
    teacher_score: float | None
    chance: float | None


def palette(strategies: Iterable[str]) -> dict[str, str]:
    """One colour per strategy as `#rrggbb`; black for `none`."""
    matching = [strategy for strategy in dict.fromkeys(strategies) if strategy != NO_MATCHING]
    colours = list(STRATEGY_COLOURS)
    if num_more := max(0, len(matching) - len(colours)):
        ramp = mpl.colormaps["gist_rainbow"]
        colours += [to_hex(ramp((index + 0.5) / num_more)) for index in range(num_more)]
    return {NO_MATCHING: NO_MATCHING_COLOUR, **dict(zip(matching, colours, strict=False))}


def init_colour(init: str) -> str:
    """The colour of an init as `#rrggbb`."""
    return INIT_COLOURS.get(init, OTHER_INIT_COLOUR)


def dashes(strategy: str) -> str:
    """The line style of a strategy: `none` is dashed."""
    return "--" if strategy == NO_MATCHING else "-"


def panel(height: float) -> tuple[Figure, Axes]:
    """An empty picture of one panel, `height` in inches. To be called within `rc_context(STYLE)`."""
    figure = Figure((WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def svg(figure: Figure) -> bytes:
    """The figure as SVG. In an `img` no text in it can become markup of the page."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        # savefig would draw the figure twice, the first time only for its layout, which this pass computes too.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue()


def pdf(figure: Figure) -> bytes:
    """The figure as PDF, with its text as text."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        FigureCanvasPdf(figure).print_pdf(buffer, metadata={"CreationDate": None})
    return buffer.getvalue()
