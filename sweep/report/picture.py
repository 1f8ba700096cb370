"""A picture in the page: an image with a text for those who do not see it."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure

from sweep.report.plots.style import svg_uri


class Picture(NamedTuple):
    """`uri` is a data URI of an SVG."""

    uri: str
    alt: str

    @classmethod
    def of(cls, figure: Figure, alt: str) -> Picture:
        return cls(svg_uri(figure), alt)
