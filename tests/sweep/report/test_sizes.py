"""Sizes and speeds of teachers and students in the table, the pictures, the page and the terminal."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from uuid import uuid4

import pytest
from rich.console import Console

from sweep.records.storage import Storage
from sweep.report import page
from sweep.report.formats import three_digits
from sweep.report.leaderboard import ranked
from sweep.report.plots.sizes import Point, size_plot
from sweep.report.plots.style import GREY
from sweep.report.report import Report
from sweep.report.sizes import draw_sizes, size_lines
from sweep.report.tables import show_results
from tests.sweep.finished import BART, BERT, finished_sweep, size_of
from tests.sweep.report.test_plots import COLOURS, dots
from tests.sweep.report.test_report import Page, written


@pytest.fixture
def storage() -> Storage:
    return Storage(f"memory://{uuid4().hex}")


def test_one_line_per_teacher_and_per_shape_of_its_students(storage: Storage) -> None:
    models = {"tiny-bert": BERT, "tiny-bart": BART}
    report = Report.of(storage, finished_sweep(storage, models, depths=(2, 3)))
    lines = size_lines(report.rows)
    assert [(line.row.model, line.row.kind) for line in lines] == [
        (model, kind) for model in models for kind in ("teacher", "cell", "cell")
    ]
    assert [line.num_students for line in lines] == [0, 10, 10] * 2
    for line in lines[1:3]:
        depth = report.configs[line.row.fingerprint].model.student_blocks
        same = [row for row in ranked(report.rows) if row.model == "tiny-bert" and row.size == size_of(depth)]
        assert line.row == same[0]
        assert line.size == size_of(depth)


def test_the_fastest_measurement_of_a_shape_is_that_of_all(storage: Storage) -> None:
    rows = Report.of(storage, finished_sweep(storage, {"tiny-bert": BERT}, depths=(2,), inits=["random"])).rows
    speeds = iter([{1: 30.0, 32: 400.0}, {1: 20.0, 32: 700.0}, {1: 10.0}, {1: 10.0}, {1: 10.0}])
    timed = [replace(row, size=replace(size_of(2), examples_per_second=next(speeds))) for row in rows[1:]]
    _, line = size_lines([rows[0], *timed])
    assert line.size == replace(size_of(2), examples_per_second={1: 30.0, 32: 700.0})


def test_the_page_has_them_with_a_picture_of_the_score_against_each(storage: Storage) -> None:
    html = written(storage, finished_sweep(storage, {"tiny-bert": BERT}, depths=(2, 3)))
    rows = Page(html).rows
    head = next(row for row in rows if "MB" in row)
    assert head == [
        *("model", "task", "teacher or student", "parameters", "without embeddings", "MB"),
        *("per second, by 1", "per second, by 32", "validation", "test", "of the way"),
    ]
    assert ["teacher", "6,500,000", "6,000,000", "26", "10", "200", "0.900", "0.900", ""] in [r[2:] for r in rows]
    student = next(row for row in rows if row[3:4] == ["2,500,000"])
    assert student[2].endswith("blocks=2, the best of 10")
    assert student[4:8] == ["2,000,000", "10", "30", "600"]
    names = ("million parameters", "examples per second, in batches of 32")
    assert all(f'alt="Test accuracy against {name}: natural-logic"' in html for name in names)


def test_a_sweep_that_was_not_measured_has_none(storage: Storage) -> None:
    sweep = finished_sweep(storage, {"tiny-bert": BERT})
    assert "Size and speed" not in written(storage, sweep)
    report = Report.of(storage, sweep)
    assert (size_lines(report.rows), draw_sizes(report.rows, COLOURS)) == ([], [])


def test_the_csv_has_a_column_for_each(storage: Storage) -> None:
    page.write(Report.of(storage, finished_sweep(storage, {"tiny-bert": BERT}, depths=(2,), failing=["none"])))
    data = storage.read("sweeps/demo/results.csv")
    assert data is not None
    names = ("parameters", "parameters_without_embeddings", "megabytes", "examples_per_second_1")
    values = [tuple(row[name] for name in names) for row in csv.DictReader(io.StringIO(data.decode()))]
    assert set(values) == {
        ("6500000", "6000000", "26.0", "10.0"),
        ("2500000", "2000000", "10.0", "30.0"),
        ("", "", "", ""),
    }


def test_the_terminal_has_them_in_eighty_columns(storage: Storage) -> None:
    file = io.StringIO()
    sweep = finished_sweep(storage, {"tiny-bert": BERT}, depths=(2,))
    show_results(Report.of(storage, sweep), Console(file=file, width=80, force_terminal=False))
    lines = file.getvalue().splitlines()
    head = next(number for number, line in enumerate(lines) if "Size and speed" in line)
    assert max(map(len, lines[head : head + 8])) <= 80
    teacher = " ".join(next(line for line in lines[head:] if "6,500,000" in line).split())
    assert teacher == "tiny-bert · teacher · 6,500,000 6,000,000 26 10 200 0.900"  # the task is on the next line


def test_a_dot_per_student_and_a_diamond_per_teacher() -> None:
    points = [Point(None, 6.5, 0.9), Point("none", 2.5, 0.6), Point("forward", 2.5, 0.7)]
    figure = size_plot(points, "million parameters", "accuracy", COLOURS)
    assert dots(figure, COLOURS["forward"], 4.5) == [(2.5, 0.7)]
    assert dots(figure, COLOURS["none"], 4.5) == [(2.5, 0.6)]
    assert dots(figure, GREY, 6) == [(6.5, 0.9)]
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    figure.canvas.draw()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert [label for label in labels if re.fullmatch(r"[125]0?", label)] == labels


def test_three_digits() -> None:
    assert [three_digits(value) for value in (1234.5, 45.67, 0.02668, 12_345_678.0, 7.0, None)] == [
        *("1,230", "45.7", "0.0267", "12,300,000", "7", ""),
    ]
