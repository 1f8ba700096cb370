"""The live progress of a sweep on the terminal.

A terminal shows the progress in place; any other output, such as the log of a job, gets one line every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

FOOTER = "Ctrl-C is safe: run the same command again to continue"
LOG_SECONDS = 10.0
LEAST_SHARE = 0.02
"""The share of the steps before which no remaining time is shown: until then workers have mostly been starting."""
MAX_SHOWN = 8


@dataclass
class Running:
    """A cell or teacher that is being trained."""

    steps: int | None
    step: int = 0
    loss: float | None = None

    def __str__(self) -> str:
        step = f"step {self.step}" + (f"/{self.steps}" if self.steps else "")
        return step if self.loss is None else f"{step}  loss {self.loss:.4g}"


@dataclass
class Work:
    """The progress of the teachers and cells of a sweep."""

    groups: Mapping[str, Mapping[str, int | None]]
    """`teachers` and `cells`: name -> number of steps, None for a teacher that is ready."""
    start_time: float
    running: dict[str, Running] = field(default_factory=dict[str, Running])
    done: set[str] = field(default_factory=set[str])
    failed: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.steps = {name: steps for group in self.groups.values() for name, steps in group.items()}

    def line(self, now: float) -> str:
        """`teachers 4/4, cells 12/40 done, 2 running, 0 failed · 1:05 elapsed, about 2:30 left`"""
        counts = [
            f"{title} {len(self.done & group.keys())}/{len(group)}" for title, group in self.groups.items() if group
        ]
        text = f"{', '.join(counts)} done, {len(self.running)} running, {len(self.failed)} failed"
        left = self.seconds_left(now)
        text += f" · {clock(now - self.start_time)} elapsed"
        return text if left is None else f"{text}, about {clock(left)} left"

    def seconds_left(self, now: float) -> float | None:
        """An estimate from the rate so far, parallelism included; None while it is too early for one, and at the end.

        The rate counts steps, also those of the cells and teachers that are running.
        """
        ended = self.done | self.failed.keys()
        total = sum(map(self._size, self.steps))
        progress = sum(map(self._size, ended))
        progress += sum(
            self._size(name) * min(1.0, each.step / each.steps) for name, each in self.running.items() if each.steps
        )
        if progress < LEAST_SHARE * total or len(ended) == len(self.steps):
            return None
        return (now - self.start_time) * (total - progress) / progress

    def _size(self, name: str) -> int:
        return self.steps[name] or 1


class LiveProgress:
    """Live progress, as a context manager. Its methods take what happens to the trials."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console()
        self._now = clock
        self._work = Work({}, clock())
        self._printed = float("-inf")
        self._live = Live(
            console=self.console, get_renderable=self._render, refresh_per_second=2, transient=True
        ) if self.console.is_terminal else None  # fmt: skip

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        else:
            self._print(FOOTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._work.steps:
            self._print(self._work.line(self._now()))
        if self._live:
            self._live.stop()

    def begin(self, groups: Mapping[str, Mapping[str, int | None]]) -> None:
        """Starts the work. `groups`: `teachers` and `cells`, each a mapping of names to numbers of steps."""
        self._work = Work(groups, self._now())
        self._tell()

    def started(self, name: str) -> None:
        self._work.failed.pop(name, None)  # a retry
        self._work.running[name] = Running(self._work.steps[name])
        self._tell()

    def update(self, name: str, step: int, loss: float | None) -> None:
        self._work.running[name] = Running(self._work.steps[name], step, loss)
        self._tell()

    def finished(self, name: str) -> None:
        self._work.running.pop(name, None)
        self._work.done.add(name)
        self._tell()

    def failed(self, name: str, reason: str) -> None:
        self._work.running.pop(name, None)
        self._work.failed[name] = reason
        self._print(f"failed: {name}: {reason}", style="red")

    def left(self, name: str) -> None:
        """Another sweep, or another driver of this one, computes it."""
        self._work.running.pop(name, None)
        self._tell()

    def _tell(self) -> None:
        """Prints a line every few seconds where the output is no terminal."""
        if self._live is None and self._now() - self._printed >= LOG_SECONDS:
            self._printed = self._now()
            lines = [f"{name}: {running}" for name, running in list(self._work.running.items())[:MAX_SHOWN]]
            self._print(" | ".join([self._work.line(self._now()), *lines]))

    def _print(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style), soft_wrap=True)

    def _render(self) -> Group:
        # A copy, because another thread draws while this one changes the mapping.
        running = list(self._work.running.items())
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(overflow="fold", ratio=1)  # the end of a name, which has the axes, is never cut off
        table.add_column(no_wrap=True)
        for name, state in running[:MAX_SHOWN]:
            table.add_row(Text(f"  {name}"), Text(str(state), style="cyan"))
        more = [Text(f"  and {len(running) - MAX_SHOWN} more")] if len(running) > MAX_SHOWN else []
        head = Text(self._work.line(self._now()), style="bold")
        return Group(head, table, *more, Text(FOOTER, style="dim"))


def clock(seconds: float) -> str:
    """`1:05`, `2:03:04`"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
