"""Figures show the numbers that they are given."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from sweep.report.plots import (
    GREY,
    INIT_COLOURS,
    LEFT_OUT,
    AngleLine,
    Scale,
    angle_lines_plot,
    angle_plot,
    curve_plot,
    mean_curve,
    score_plot,
    svg_uri,
)

SCALE = Scale("accuracy", teacher_score=0.9, chance=0.5)


def texts(figure: Figure) -> list[str]:
    svg = base64.b64decode(svg_uri(figure).partition(",")[2])
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def dots(figure: Figure, colour: str, size: float) -> list[tuple[float, float]]:
    lines = [line for line in figure.axes[0].get_lines() if line.get_color() == colour]
    lines = [line for line in lines if line.get_markersize() == size]
    return [(float(x), float(y)) for line in lines for x, y in zip(*line.get_data(), strict=True)]


def test_scores_one_dot_a_seed_and_their_mean() -> None:
    scores = {("none", "random"): [0.6, 0.7], ("none", "teacher"): [0.8], ("forward", "random"): [0.75]}
    figure = score_plot(scores, SCALE)
    assert dots(figure, INIT_COLOURS["random"], 7) == [(pytest.approx(0.65), -0.11), (0.75, 0.89)]
    assert dots(figure, INIT_COLOURS["random"], 3.5) == [(0.6, -0.11), (0.7, -0.11)]
    assert dots(figure, INIT_COLOURS["teacher"], 7) == [(0.8, 0.11)]
    assert {"none", "forward", "teacher", "chance", "test accuracy"} <= set(texts(figure))


def test_scores_without_a_teacher_have_no_line_for_it() -> None:
    figure = score_plot({("none", "random"): [0.6]}, Scale("bleu", None, None))
    assert not {"teacher", "chance"} & set(texts(figure))


def test_curves_a_panel_an_init() -> None:
    curves = {
        ("none", "random"): ([1, 2], [0.5, 0.6]),
        ("forward", "random"): ([1, 2], [0.6, 0.8]),
        ("forward", "teacher"): ([1, 2], [0.7, 0.9]),
    }
    random, teacher = curve_plot(curves, SCALE).axes
    assert [list(line.get_ydata()) for line in random.get_lines()] == [[0.5, 0.6], [0.6, 0.8]]
    assert [list(line.get_ydata()) for line in teacher.get_lines()] == [[], [0.7, 0.9]]
    assert [line.get_linestyle() for line in random.get_lines()] == ["--", "-"]
    assert random.get_lines()[0].get_color() != random.get_lines()[1].get_color()


def test_mean_curve_is_over_common_steps() -> None:
    assert mean_curve([([1, 2, 3], [1.0, 2.0, 3.0]), ([1, 3], [3.0, 4.0])]) == ([1, 3], [2.0, 3.5])
    assert mean_curve([]) == ([], [])


def test_angle_maps_show_pairs_above_the_diagonal_and_what_was_left_out() -> None:
    cosines_LMM = np.full((2, 3, 3), np.nan)
    cosines_LMM[:, 0, 2], cosines_LMM[:, 1, 2], cosines_LMM[1, 0, 1] = 0.5, -0.25, 0.75
    figure = angle_plot({"start": cosines_LMM, "end": cosines_LMM})
    (image,) = [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()]
    # Two rows of two maps of 3 x 3, with a gap between them that belongs to none.
    assert image.shape == (7, 7)
    maps = [image[top : top + 3, left : left + 3] for top in (0, 4) for left in (0, 4)]
    assert all(each[~np.triu(np.ones((3, 3), bool), 1)].count() == 0 for each in maps)
    assert sum(each.count() for each in maps) == image.count()
    for first, second in (maps[:2], maps[2:]):
        assert first.compressed().tolist() == [LEFT_OUT, 0.5, -0.25]
        assert second.compressed().tolist() == [0.75, 0.5, -0.25]
    places = [
        (axis.get_ticklocs().tolist(), [text.get_text() for text in axis.get_ticklabels()])
        for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis)
    ]
    assert places == [([0, 1, 2, 4, 5, 6], ["0", "1", "2"] * 2)] * 2
    assert {"student\nstate 1", "teacher state k", "start\nteacher state i"} <= set(texts(figure))


def test_angle_lines_a_panel_a_stack_and_init() -> None:
    lines = [
        AngleLine("encoder", "random", "forward", True, (0.9, 0.8, 0.7)),
        AngleLine("encoder", "random", "forward", False, (0.6, 0.5, 0.4)),
        AngleLine("encoder", "random", "none", False, (0.3, 0.2, np.nan)),
        AngleLine("decoder", "teacher", "forward", False, (-0.1, 0.0, 0.1)),
    ]
    figure = angle_lines_plot(lines)
    panels = [[line for line in axes.get_lines() if len(line.get_xdata()) == 3] for axes in figure.axes]
    assert [len(panel) for panel in panels] == [3, 0, 0, 1]  # encoder random, teacher; decoder random, teacher
    untrained, forward, none = panels[0]
    assert [list(line.get_xdata()) for line in panels[0]] == [[2, 3, 4]] * 3
    assert list(untrained.get_ydata()) == [0.9, 0.8, 0.7]
    assert list(forward.get_ydata()) == [0.6, 0.5, 0.4]
    assert (untrained.get_linestyle(), untrained.get_color()) == (":", GREY)
    assert none.get_color() == "black"
    assert panels[3][0].get_color() == forward.get_color() != "black"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["untrained", "forward", "none"]
    assert {"teacher state k", "encoder\nmean cosine", "decoder\nmean cosine", "random start"} <= set(texts(figure))


def test_a_figure_is_an_image_of_its_own_and_the_same_twice() -> None:
    scores = {("<script>$x", "random"): [0.6]}
    first, second = (svg_uri(score_plot(scores, SCALE)) for _ in range(2))
    assert first == second
    assert first.startswith("data:image/svg+xml;base64,")
