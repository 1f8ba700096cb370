"""Forgets a cell: its record and its runs go together, so that the next call computes it anew."""

from __future__ import annotations

from sweep.records import heartbeats
from sweep.records.records import CellRecord, Records
from sweep.spec.messages import quote
from sweep.spec.question import is_agreed
from sweep.tracking.tracking import Tracking
from trainables.errors import InputError, Problem

FLAG = "--forget"
MAX_NAMED = 3
"""The cells that an ambiguous beginning is shown to have."""


def forget(beginning: str, records: Records, tracking: Tracking, *, is_sure: bool) -> bool:
    """Removes the cell whose fingerprint begins so, after a question unless `is_sure`; returns whether it is gone.

    Raises InputError if no cell begins so, if several do, or while a trial computes it; TrackingError if its runs
    cannot be removed, before anything of the record is.
    """
    record = _record(beginning, records)
    for heartbeat in heartbeats.living(records.storage).values():
        if record.identity in heartbeat.steps:
            reason = f"{heartbeat} computes this cell now; wait for its end, or stop it"
            raise InputError([Problem(FLAG, f"got {quote(beginning)}; {reason}")])
    runs = tracking.runs_of_cell(record.identity)
    what = f"{record.root} ({record.state()}) and {len(runs)} run{'s' * (len(runs) != 1)} of it in MLflow"
    if not is_agreed(f"Delete {what}?", is_sure=is_sure):
        print("Nothing is deleted.")
        return False
    tracking.delete_runs(runs)
    records.storage.delete(record.root)
    print(f"Deleted: {what}.")
    return True


def _record(beginning: str, records: Records) -> CellRecord:
    """The only cell whose fingerprint begins so. Raises InputError."""
    names = [name for name in records.storage.list("cells") if beginning and name.startswith(beginning)]
    if len(names) == 1:
        return records.cell(names[0])
    if not names:
        reason = "no cell of the storage has a fingerprint that begins so; results.csv has them all"
    else:
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        reason = f"several cells begin so: {', '.join(names[:MAX_NAMED])}{more}; give more of the fingerprint"
    raise InputError([Problem(FLAG, f"got {quote(beginning)}; {reason}")])
