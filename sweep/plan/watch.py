"""`--watch`: the state of each teacher and cell of a sweep that runs elsewhere, from its storage alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sweep.plan.states import WORDS, Plan, counts
from sweep.records import heartbeats
from sweep.records.heartbeats import Heartbeat, Judge
from sweep.records.records import Records

POLL_SECONDS = 2.0
NUM_PER_SECOND = 50
"""The records that are looked at in a second, so that the storage of a large sweep is not kept busy."""
LINE_SECONDS = 10.0
"""How often a step of a running cell is told where the output is no terminal."""
MAX_SHOWN = 40
"""The lines of the table on a terminal."""


@dataclass
class Watch:
    """A sweep as another terminal or machine sees it; it writes nothing."""

    name: str
    plan: Callable[[], Plan]
    """Reads the states anew."""
    records: Records
    console: Console
    sleep: Callable[[float], None] = time.sleep
    _told: dict[str, str] = field(default_factory=dict[str, str])
    _printed: float = float("-inf")

    def run(self) -> int:
        """Shows the states until no driver runs the sweep, or until an interrupt; returns the exit status."""
        judge = Judge(self.records.storage)
        live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None
        with suppress(KeyboardInterrupt), live or nullcontext():
            while True:
                alive = heartbeats.not_dead(self.records.storage, judge)
                plan = self.plan()
                lines = self._lines(plan, alive)
                if live:
                    live.update(self._table(plan, lines), refresh=True)
                else:
                    self._tell(plan, lines)
                if not any(each.kind == "driver" and each.sweep == self.name for each in alive.values()):
                    self.console.print(Text(f"No command runs {self.name} now: {counts(plan)}"), soft_wrap=True)
                    break
                self.sleep(max(POLL_SECONDS, len(plan.cells) / NUM_PER_SECOND))
        return 0

    def _lines(self, plan: Plan, alive: Mapping[str, Heartbeat]) -> dict[str, str]:
        """Identity -> the state of a teacher or cell in words."""
        running = {key: (each, *step) for each in alive.values() for key, step in each.steps.items()}
        lines: dict[str, str] = {}
        for key, state in (*plan.teacher_states.items(), *plan.cell_states.items()):
            record = self.records.cell(key) if key in plan.cells else self.records.teacher(key)
            if state != "done" and key in running:
                lines[key] = _running(*running[key])
            elif state == "failed":
                failure = record.failure()
                lines[key] = f"failed: {failure.reason}" if failure else "failed"
            elif state == "missing":
                lines[key] = f"resumable at step {plan.steps[key]}" if key in plan.steps else "missing"
            else:
                lines[key] = WORDS[state]
        return lines

    def _table(self, plan: Plan, lines: Mapping[str, str]) -> Group:
        """What a terminal shows; of a large sweep, what is not done comes first."""
        table = Table.grid(padding=(0, 2))
        order = sorted(lines, key=lambda key: (lines[key] == "done", not lines[key].startswith("running")))
        for key in order[:MAX_SHOWN]:
            table.add_row(Text(plan.labels[key]), Text(lines[key]))
        more = [Text(f"and {len(order) - MAX_SHOWN} more")] if len(order) > MAX_SHOWN else []
        return Group(Text(counts(plan), "bold"), table, *more)

    def _tell(self, plan: Plan, lines: Mapping[str, str]) -> None:
        """Prints the lines that have changed; those of steps every few seconds."""
        has_waited = time.monotonic() - self._printed >= LINE_SECONDS
        for key, line in lines.items():
            known = self._told.get(key)
            is_step = known is not None and line.startswith("running") and known.startswith("running")
            if line != known and (has_waited or not is_step):
                self._told[key] = line
                self.console.print(Text(f"{plan.labels[key]}: {line}"), soft_wrap=True)
        self._printed = time.monotonic() if has_waited else self._printed


def _running(heartbeat: Heartbeat, step: int, loss: float | None) -> str:
    """`running on node-1, process 7, since 2026-11-27 10:00:00 UTC: step 40, loss 0.5`"""
    where = f"running on {heartbeat.process}, since {heartbeat.begun}: step {step}"
    return where if loss is None else f"{where}, loss {loss:.4g}"
