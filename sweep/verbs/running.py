"""Keeps a verb from deleting what a sweep needs that is running."""

from __future__ import annotations

from collections.abc import Collection

from sweep.records import heartbeats
from sweep.records.archive import FILE, Outline
from sweep.records.heartbeats import Heartbeat
from sweep.records.records import Records
from sweep.records.storage import Storage
from trainables.errors import InputError, Problem


def check(storage: Storage, roots: Collection[str], name: str | None = None) -> None:
    """Raises InputError if a sweep that is running needs one of these records, or is the one of this name."""
    for heartbeat in heartbeats.living(storage).values():
        if reason := _need(storage, heartbeat, roots, name):
            message = f"{heartbeat} is running and {reason}; wait for its end, or stop it"
            raise InputError([Problem("storage", message)])


def _need(storage: Storage, heartbeat: Heartbeat, roots: Collection[str], name: str | None) -> str | None:
    """Why the deletion would disturb a driver or a trial; None if it would not."""
    records = Records(storage)
    if heartbeat.sweep == name:
        return "would lose its files"
    if heartbeat.kind == "trial":
        cells, teachers = [*heartbeat.steps], [*heartbeat.steps]
    else:
        outline = Outline.read(storage, f"sweeps/{heartbeat.sweep}/{FILE}")
        if outline is None or outline.time < heartbeat.since:
            return "has only begun, so that nothing tells yet what it needs"
        cells = [cell.fingerprint for cell in outline.all_cells]
        teachers = [cell.teacher for cell in outline.all_cells]
    needs = {records.cell(key).root for key in cells} | {records.teacher(key).root for key in teachers}
    needed = sorted(needs & set(roots))
    return f"needs {needed[0]}" if needed else None
