"""The students that a sweep keeps and that are gone from the storage: where they still are, and how to make them again.

A cell whose student is lost is finished, and nothing of its results needs the student. So it is trained again only
when the user asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from sweep.plan.states import Plan
from sweep.records.archive import CellKey
from sweep.records.records import Records
from sweep.spec.passwords import without_passwords
from sweep.spec.sweep import SweepConfig
from sweep.students import published
from sweep.students.needed import Needed
from sweep.tracking.experiment import TrackingError
from sweep.tracking.tracking import Tracking

FLAG = "--remake-students"


def fingerprints(config: SweepConfig, plan: Plan, records: Records) -> list[str]:
    """The cells whose students are lost."""
    return Needed(records).lost(config.keep, map(CellKey.of, plan.settled))


def forget(lost: Sequence[str], records: Records) -> None:
    """Makes the cells missing, so that a run trains them again. Their old results stay beside their attempts."""
    for fingerprint in lost:
        record = records.cell(fingerprint)
        result = record.result()
        assert result is not None, "a lost student is one of a finished cell"
        records.storage.write(f"{record.root}/attempts/{result.attempt}/result.json", result.dump())
        records.storage.delete(record.manifest_path)


def show(lost: Sequence[str], config: SweepConfig, plan: Plan, console: Console, *, ask: bool) -> None:
    """Prints a line for each lost student; `ask`: with its address in MLflow, for which the server is asked."""
    for fingerprint in lost:
        address = _address(config, fingerprint) if ask else None
        elsewhere = f" MLflow has it as {address} at {without_passwords(config.tracking_address)}." if address else ""
        gone = f"The student of {plan.labels[fingerprint]} is no longer in the storage.{elsewhere}"
        console.print(Text(f"{gone} {FLAG} trains it again."), soft_wrap=True)


def _address(config: SweepConfig, fingerprint: str) -> str | None:
    """`models:/<id>` of the student in MLflow; None where it has none, or does not answer."""
    try:
        return published.address(Tracking(config.tracking_url, config.name), fingerprint)
    except TrackingError:
        return None
