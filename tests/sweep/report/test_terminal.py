"""What the terminal shows, on a terminal and in a log, 80 columns wide."""

from __future__ import annotations

import io

from rich.console import Console

from sweep.records.storage import Storage
from sweep.report.formats import short_mapping
from sweep.report.report import Report
from sweep.report.tables import show_results
from sweep.report.terminal import FOOTER, LiveProgress, Running, Work, clock
from tests.sweep.finished import BART, BERT, NOT_FINITE, finished_sweep


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def log() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=80, force_terminal=False), file


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    console, file = log()
    time = Clock()
    with LiveProgress(console, time) as progress:
        progress.begin({"teachers": {}, "cells": {"bert · forward · random · s0": 100, "b": 100, "c": 100, "d": 100}})
        progress.started("bert · forward · random · s0")
        for second in range(1, 26):
            time.now = second
            progress.update("bert · forward · random · s0", 2 * second, 1.5)
        progress.finished("bert · forward · random · s0")
    lines = file.getvalue().splitlines()
    assert lines == [
        FOOTER,
        "cells 0/4 done, 0 running, 0 failed · 0:00 elapsed",
        "cells 0/4 done, 1 running, 0 failed · 0:10 elapsed, about 3:10 left"
        " | bert · forward · random · s0: step 20/100  loss 1.5",
        "cells 0/4 done, 1 running, 0 failed · 0:20 elapsed, about 3:00 left"
        " | bert · forward · random · s0: step 40/100  loss 1.5",
        "cells 1/4 done, 0 running, 0 failed · 0:25 elapsed, about 1:15 left",
    ]


def test_a_failure_is_said_at_once_and_taken_back_by_a_retry() -> None:
    console, file = log()
    with LiveProgress(console, Clock()) as progress:
        progress.begin({"cells": {"a": 3, "b": 3}})
        progress.started("a")
        progress.failed("a", "its worker died")
        progress.started("a")
        progress.finished("a")
        progress.started("b")
        progress.failed("b", "loss not finite at step 3 [/red]")
    lines = file.getvalue().splitlines()
    assert "failed: a: its worker died" in lines
    assert "failed: b: loss not finite at step 3 [/red]" in lines
    assert lines[-1] == "cells 1/2 done, 0 running, 1 failed · 0:00 elapsed"


def test_time_left_counts_running_cells_as_far_as_they_came() -> None:
    work = Work({"cells": dict.fromkeys("abcdefghij", 100)}, start_time=0.0)
    work.running = {"a": Running(100), "e": Running(None, 7)}
    assert work.seconds_left(30.0) is None
    work.running["a"] = Running(100, 19)
    assert work.seconds_left(30.0) is None  # the workers' start says nothing
    work.running["a"] = Running(100, 25)
    assert work.seconds_left(30.0) == 30.0 * 9.75 / 0.25
    del work.running["a"]
    work.done |= {"a", "b"}
    assert work.seconds_left(30.0) == 30.0 * 8 / 2
    work.running |= {"c": Running(100, 50), "d": Running(100, 50)}
    assert work.seconds_left(30.0) == 30.0 * 7 / 3
    work.done |= set("cdefghij")
    assert work.seconds_left(30.0) is None


def test_teachers_and_cells_count_by_their_steps() -> None:
    work = Work({"teachers": {"t": 600, "ready": None}, "cells": {"a": 100, "b": 100}}, start_time=0.0)
    work.running["t"] = Running(600, 300)
    assert work.line(60.0) == "teachers 0/2, cells 0/2 done, 1 running, 0 failed · 1:00 elapsed, about 1:40 left"
    del work.running["t"]
    work.done |= {"t", "ready", "a"}
    assert work.line(140.0) == "teachers 2/2, cells 1/2 done, 0 running, 0 failed · 2:20 elapsed, about 0:20 left"


def test_a_terminal_is_redrawn_in_place() -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    names = [
        f"cell {n} with [brackets] and a name that is longer than the terminal is wide · lr={n}" for n in range(20)
    ]
    with LiveProgress(console, Clock()) as progress:
        progress.begin({"cells": dict.fromkeys(names, 9)})
        for name in names[:10]:
            progress.started(name)
        progress.update(names[0], 3, 0.25)
        shown = console.render_lines(progress._render())
    text = "\n".join("".join(segment.text for segment in line) for line in shown)
    assert "cells 0/20 done, 10 running, 0 failed" in text
    assert "step 3/9  loss 0.25" in text
    assert "cell 0 with [brackets]" in text
    assert "lr=0 " in text  # the end of a name has the axes
    assert "and 2 more" in text
    assert FOOTER in text
    assert max(map(len, text.splitlines())) <= 80


def test_results_fit_eighty_columns() -> None:
    storage = Storage("memory://terminal-results")
    sweep = finished_sweep(storage, {"tiny-bert": BERT, "tiny-bart": BART}, seeds=(0, 1), failing=["reverse"])
    report = Report.of(storage, sweep)
    rows, student = report.rows, report.student
    assert student is not None
    assert student.row is report.best
    assert student.row.validation_share == max(row.validation_share or 0 for row in rows)
    console, file = log()
    show_results(report, console, ["results.csv: here", "report.html: there"])
    text = file.getvalue()
    tables, _, rest = text.partition("failed: ")
    assert max(map(len, tables.splitlines())) <= 80
    assert text.count("\n teacher  ") == 2 + 2 * 5
    assert "All cells, the best 10 of 40" in tables
    assert f"Best: {student.row.words}: validation " in " ".join(rest.split())
    assert "  -" not in text
    assert "90.0" in tables
    assert "0.900" in tables
    assert f"tiny-bert · natural-logic · reverse · random · s1: {NOT_FINITE}" in rest
    assert f"{student.path}\n" in rest
    assert "MLflow has the runs: http" in rest
    forward = next(line for line in tables[tables.index("tiny-bert on") :].splitlines() if "forward" in line)
    group = [row for row in rows if (row.model, row.strategy, row.init) == ("tiny-bert", "forward", "random")]
    mean = sum(row.test or 0 for row in group) / 2
    assert f"{mean:.3f} ± " in forward


def test_words() -> None:
    assert clock(65) == "1:05"
    assert clock(7384) == "2:03:04"
    assert short_mapping("encoder: identity, decoder: identity") == "identity"
    assert short_mapping("encoder: identity, decoder: reversal") == "identity/reversal"
    assert short_mapping("") == ""
