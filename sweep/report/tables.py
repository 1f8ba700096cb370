"""The results of a sweep on the terminal: the best cells, a table per section, what it all says, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweep.report.address import where_the_runs_are
from sweep.report.formats import note, number, percent, score, three_digits
from sweep.report.forms import FormLine
from sweep.report.report import Report
from sweep.report.results import ResultRow
from sweep.report.sizes import SizeLine, size_lines
from sweep.report.summary import Section
from sweep.report.usage import SavedStudent, usage
from sweep.tracking.tags import ACUTE_SHARE, angle_metric
from trainables.size import BATCHES

NUM_LEADERS = 10
MAX_REASONS = 20


def show_results(report: Report, console: Console, files: Sequence[str] = ()) -> None:
    """Prints the tables of a sweep, its failures and findings, the use of the best student, and the report's files."""
    if len(report.cells) > 1:
        console.print(_leaders(report))
        if report.marked:
            console.print(Text("Cells marked • are of this call, the others of earlier calls of this sweep.\n"))
    for section in report.sections:
        console.print(_table(section))
    if lines := size_lines(report.rows):
        console.print(_sizes(lines))
    _show_failures(report.failures, console)
    for sentence in report.sentences:
        console.print(Text(sentence, "bold" if sentence in report.headline else ""))
    if report.student:
        _show_student(report.student, report.best, console)
        if report.form_lines:
            console.print(_forms(report.form_lines, report.student.row.main_metric))
    console.print()
    for file in files:
        console.print(Text(file), soft_wrap=True)
    for line in where_the_runs_are(report.sweep):
        console.print(Text(line), soft_wrap=True)


def _leaders(report: Report) -> Table:
    lines = report.leaderboard.lines
    more = f", the best {NUM_LEADERS} of {len(lines)}" if len(lines) > NUM_LEADERS else ""
    table = _empty(f"All cells{more}")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("cell", overflow="fold")
    for name in ("validation", "test", "of the\nway"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for line in lines[:NUM_LEADERS]:
        row = line.row
        scores = (number(row.best, row.main_metric), number(row.test, row.main_metric), percent(row.share_of_teacher))
        mark = "• " if row.fingerprint in report.marked else ""
        table.add_row(*map(Text, (f"{mark}{line.place or ''}", row.words, *scores, note(row))))
    return table


def _table(section: Section) -> Table:
    table = _empty(section.title)
    acute = "/".join(stack[:3] for stack in section.stacks)
    table.add_column("init", no_wrap=True)
    table.add_column("strategy", overflow="fold")
    table.add_column(f"test {section.metric}", justify="right", no_wrap=True)
    table.add_column("of the\nway", justify="right")
    table.add_column(f"acute\n{acute}", justify="right")
    table.add_column("note", overflow="fold")
    for name, value, share in (("teacher", section.teacher_test, "100%"), ("chance", section.chance, "0%")):
        if value is not None:
            table.add_row(name, "", number(value, section.metric), share, "", "")
    table.add_section()
    for init in section.inits:
        groups = section.of(init)
        for group in groups:
            shares = [percent(group.metric(angle_metric(stack, ACUTE_SHARE))) for stack in section.stacks]
            notes = "; ".join(dict.fromkeys(filter(None, map(note, group.rows))))
            acute = "/".join(filter(None, shares))
            cells = [init, group.strategy, score(group, section.metric), percent(group.share), acute, notes]
            table.add_row(*map(Text, cells), end_section=group is groups[-1])
    return table


def _sizes(lines: Sequence[SizeLine]) -> Table:
    """The sizes and speeds of teachers and students, and their scores."""
    table = _empty("Size and speed")
    table.add_column("model", overflow="fold")
    names = ("parameters", "without\nembeddings", "MB", *(f"rows/s\nby {batch}" for batch in BATCHES), "test")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        row, size = line.row, line.size
        rates = [three_digits(size.examples_per_second.get(batch)) for batch in BATCHES]
        counts = [f"{size.parameters:,}", f"{size.without_embeddings:,}", three_digits(size.megabytes)]
        name = row.label if row.kind == "teacher" else row.words
        table.add_row(*map(Text, (name, *counts, *rates, number(row.test, row.main_metric))))
    return table


def _forms(lines: Sequence[FormLine], metric: str) -> Table:
    table = _empty("The best student in other forms")
    table.add_column("", overflow="fold")
    for name in ("MB", *(f"rows/s\nby {batch}" for batch in BATCHES), "test"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        rates = [three_digits(line.examples_per_second.get(batch)) for batch in BATCHES]
        table.add_row(*map(Text, (line.file, three_digits(line.megabytes), *rates, number(line.test, metric))))
    return table


def _empty(title: str) -> Table:
    return Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def _show_failures(failed: Sequence[ResultRow], console: Console) -> None:
    for row in failed[:MAX_REASONS]:
        reason = row.reason or "no reason recorded"
        console.print(Text(f"{row.status}: {row.label}: {reason}", style="red"), soft_wrap=True)
    if len(failed) > MAX_REASONS:
        console.print(Text(f"and {len(failed) - MAX_REASONS} more; all are in results.csv", style="red"))


def _show_student(student: SavedStudent, best: ResultRow | None, console: Console) -> None:
    """The student's folder and the lines that use it; its words too where a better cell has kept none."""
    is_best = best is not None and student.row.fingerprint == best.fingerprint
    name = "The best student" if is_best else f"The best student that was kept ({student.row.words})"
    console.print(Text(f"\n{name}: {student.path}"), soft_wrap=True)
    for line in usage(student.config, student.path):
        console.print(Text(f"    {line}", style="cyan"), soft_wrap=True)
