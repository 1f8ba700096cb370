"""Figures show the numbers that they are given."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from sweep.report.angles import mean_lines
from sweep.report.picture import Picture
from sweep.report.plots.angles import LEFT_OUT, AngleLine, angle_lines_plot, angle_plot
from sweep.report.plots.curves import curve_plot, mean_curve, state_plot
from sweep.report.plots.forest import INK, Part, forest_plot
from sweep.report.plots.scores import Dot, axis_plot, score_plot
from sweep.report.plots.style import GREY, INIT_COLOURS, Scale, init_colour, palette, svg
from sweep.verdict.paired import difference
from tests.sweep.report.test_summary import row

COLOURS = palette(["none", "forward", "reverse"])
SCALE = Scale("accuracy", teacher_score=0.9, chance=0.5)


def texts(figure: Figure) -> list[str]:
    assert ElementTree.fromstring(svg(figure)).tag.endswith("svg")
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


def test_no_two_names_of_lines_lie_over_each_other() -> None:
    """The names of teacher and chance stand on the sides that look away from each other."""
    for teacher, chance, sides in ((0.9, 0.5, ("left", "right")), (0.4, 0.5, ("right", "left"))):
        figure = score_plot({("none", "random"): [0.6]}, Scale("accuracy", teacher, chance))
        notes = {note.get_text(): note.get_horizontalalignment() for note in figure.axes[0].texts}
        assert (notes["teacher"], notes["chance"]) == sides


def test_a_dot_per_cell_and_a_line_per_strategy_against_an_axis() -> None:
    dots = [Dot("none", 1e-3, 0.5), Dot("forward", 1e-3, 0.6), Dot("forward", 1e-3, 0.8), Dot("forward", 1e-2, 0.9)]
    (axes,) = axis_plot(dots, "lr", "accuracy", COLOURS).axes
    lines = {(line.get_color(), line.get_marker()): [*zip(*line.get_data(), strict=True)] for line in axes.get_lines()}
    assert lines[COLOURS["forward"], "None"] == [(1e-3, pytest.approx(0.7)), (1e-2, 0.9)]
    assert lines[COLOURS["forward"], "o"] == [(1e-3, 0.6), (1e-3, 0.8), (1e-2, 0.9)]
    assert lines[COLOURS["none"], "o"] == [(1e-3, 0.5)]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1e-3", "0.01"]
    assert (
        axis_plot([Dot("none", 0.0, 0.5), Dot("none", 3.0, 0.5)], "h", "f1", COLOURS).axes[0].get_xscale() == "linear"
    )


def test_names_neither_take_the_room_of_the_numbers_nor_lie_over_each_other() -> None:
    long = "custom(states=[1, 3, 5, 7, 9, 11], match_embeddings=false, and_more=true)"
    figure = score_plot({(long, "random"): [0.6], ("none", "random"): [0.7]}, SCALE)
    figure.draw_without_rendering()
    assert figure.axes[0].get_position().width > 0.8
    values = [1e-5, 2e-5, 3e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3]
    (axes,) = axis_plot([Dot("none", value, 0.5) for value in values], "lr", "f1", COLOURS).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == [
        "1e-5",
        "2e-5",
        "5e-5",
        "1e-4",
        "2e-4",
        "5e-4",
        "1e-3",
    ]


def test_curves_a_line_per_strategy() -> None:
    curves = {"none": ([1, 2], [0.5, 0.6]), "forward": ([1, 2], [0.6, 0.8])}
    (axes,) = curve_plot(curves, "random start", "validation accuracy", COLOURS).axes
    assert [list(line.get_ydata()) for line in axes.get_lines()] == [[0.5, 0.6], [0.6, 0.8]]
    assert [line.get_linestyle() for line in axes.get_lines()] == ["--", "-"]
    assert [line.get_color() for line in axes.get_lines()] == [COLOURS["none"], COLOURS["forward"]]
    assert axes.get_ylabel() == "validation accuracy"


def test_hidden_losses_have_a_panel_per_student_state() -> None:
    states = {0: {"forward": ([0, 5], [2.0, 1.0])}, 1: {"forward": ([0, 5], [4.0, 3.0])}, 3: {"reverse": ([0], [1.0])}}
    figure = state_plot(states, "encoder, random start", COLOURS)
    panels = [axes for axes in figure.axes if axes.get_lines()]
    assert [axes.get_title(loc="left") for axes in panels] == [f"student state {state}" for state in (0, 1, 3)]
    assert [list(axes.get_lines()[0].get_ydata()) for axes in panels] == [[2.0, 1.0], [4.0, 3.0], [1.0]]
    assert panels[2].get_lines()[0].get_color() == COLOURS["reverse"]


def test_a_colour_has_one_meaning() -> None:
    names = [f"strategy {number}" for number in range(20)]
    colours = palette(["none", *names])
    assert colours["none"] == "#000000"
    assert list(colours) == ["none", *names]
    inits = {init_colour(init) for init in ("random", "teacher", "another")}
    assert len({*colours.values(), *inits}) == 24
    assert palette(names[::-1])["none"] == "#000000"


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


def test_angle_lines() -> None:
    lines = [
        AngleLine("forward", True, (0.9, 0.8, 0.7)),
        AngleLine("forward", False, (0.6, 0.5, 0.4)),
        AngleLine("none", False, (0.3, 0.2, np.nan)),
    ]
    (axes,) = angle_lines_plot(lines, "encoder, random start", COLOURS).axes
    drawn = [line for line in axes.get_lines() if len(line.get_xdata()) == 3]
    assert [list(line.get_xdata()) for line in drawn] == [[2, 3, 4]] * 3
    untrained, forward, none = drawn
    assert list(untrained.get_ydata()) == [0.9, 0.8, 0.7]
    assert list(forward.get_ydata()) == [0.6, 0.5, 0.4]
    assert (untrained.get_linestyle(), untrained.get_color()) == (":", GREY)
    assert (none.get_linestyle(), none.get_color()) == ("--", COLOURS["none"])
    assert (forward.get_linestyle(), forward.get_color()) == ("-", COLOURS["forward"])
    assert (axes.get_title(loc="left"), axes.get_xlabel()) == ("encoder, random start", "teacher state k")


def test_an_angle_line_is_the_mean_over_seeds_of_what_has_a_cosine() -> None:
    """Student states 0 and 1 before and after training, and teacher states 0 to 3, of which 1 with 2 and 3 count."""
    cells = [("forward", 0, (0.4, np.nan)), ("forward", 1, (0.8, 0.2)), ("none", 0, (np.nan, np.nan))]
    cell_angles = []
    for strategy, seed, trained in cells:
        ends_2LMM = np.full((2, 2, 4, 4), np.nan)
        ends_2LMM[1, 1, 1, 2:] = trained
        cell_angles.append((row(strategy, 0.5, seed=seed), {"encoder": ends_2LMM}))
    (line,) = mean_lines("encoder", "random", cell_angles)
    assert (line.strategy, line.untrained) == ("forward", False)
    assert line.cosines == pytest.approx((0.6, 0.2))
    assert mean_lines("encoder", "teacher", cell_angles) == mean_lines("decoder", "random", cell_angles) == []


def test_a_figure_is_an_image_of_its_own_and_the_same_twice() -> None:
    scores = {("<script>$x", "random"): [0.6]}
    first, second = (svg(score_plot(scores, SCALE)) for _ in range(2))
    assert first == second
    assert Picture.of(score_plot(scores, SCALE), "").uri.startswith("data:image/svg+xml;base64,")


def test_a_forest_shows_each_difference_with_both_intervals_and_the_band() -> None:
    scores = np.array([0.61, 0.64, 0.66]), np.array([0.5, 0.52, 0.57])
    found = difference(("forward", "none"), *scores, None, 0.05)
    constant = difference(("forward", "copy"), scores[0], scores[0], None, 0.05)
    figure = forest_plot([Part("matching", [found, constant])], 0.02, "difference in accuracy")
    assert {"matching", "forward minus none", "forward minus copy", "margin"} <= set(texts(figure))
    assert dots(figure, INK, 5) == [(pytest.approx(found.mean.value), 1.0), (0.0, 2.0)]
    lines = {
        line.get_linewidth(): line.get_xdata() for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 2
    }
    assert list(lines[1.0]) == pytest.approx([found.mean.low, found.mean.high])
    assert list(lines[3.0]) == pytest.approx([found.narrow.low, found.narrow.high])
    (band,) = figure.axes[0].patches
    assert band.get_extents().transformed(figure.axes[0].transData.inverted()).intervalx == pytest.approx([-0.02, 0.02])
    assert "margin" not in texts(forest_plot([Part("matching", [found])], None, "difference"))
