"""The score against each numeric axis of a sweep, in pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sweep.report.picture import Picture
from sweep.report.plots.scores import Dot, axis_plot
from sweep.report.results import ResultRow
from sweep.report.summary import init_text, short_names


class AxisPicture(NamedTuple):
    """Where a picture belongs, and the picture."""

    caption: str
    picture: Picture


def draw_axes(rows: Sequence[ResultRow], colours: Mapping[str, str]) -> list[AxisPicture]:
    """One picture per model, task, init and numeric axis with scores at two values or more.

    The scores are those of the validation split, since a value of an axis is chosen by them.
    """
    cells = [row for row in rows if row.kind == "cell" and row.best is not None]
    names = short_names(cells)
    places = dict.fromkeys((row.model, row.task, row.init) for row in cells)
    pictures: list[AxisPicture] = []
    for model, task, init in places:
        own = [row for row in cells if (row.model, row.task, row.init) == (model, task, init)]
        for field, name in names.items():
            dots = _dots(own, field)
            if len({dot.value for dot in dots}) > 1:
                caption = f"{model} on {task}, {init_text(init)}"
                alt = f"Validation {own[0].main_metric} against {field}: {caption}"
                pictures.append(
                    AxisPicture(caption, Picture.of(axis_plot(dots, name, own[0].main_metric, colours), alt))
                )
    return pictures


def _dots(rows: Sequence[ResultRow], field: str) -> list[Dot]:
    """The dots of the rows at which the field has a number; none where a value of it is no number."""
    try:
        return [Dot(row.strategy, float(row.axes[field]), row.best or 0.0) for row in rows if field in row.axes]
    except ValueError:
        return []
