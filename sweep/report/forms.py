"""The best student in the forms in which it was exported, beside itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sweep.records.records import Records
from sweep.records.stored import Exports
from sweep.report.usage import SavedStudent
from sweep.tracking.tags import test_metric
from trainables.forms import FILES, FOLDER, Exported, Form

FILE = "exports.json"


class FormLine(NamedTuple):
    """One form: its file in the student's folder, and what was measured of it."""

    file: str
    megabytes: float
    examples_per_second: Mapping[int, float]
    test: float | None


def exports(records: Records, fingerprint: str) -> dict[Form, Exported]:
    """The forms in which the student of a finished cell is stored."""
    record = records.cell(fingerprint)
    result = record.result()
    assert result is not None
    stored = Exports.read(records.storage, f"{record.root}/{result.student}/{FOLDER}/{FILE}")
    return stored.forms if stored else {}


def form_lines(records: Records, student: SavedStudent) -> list[FormLine]:
    """The student itself, then its forms; empty where it has none."""
    forms = exports(records, student.row.fingerprint)
    own, metric = student.row.size, test_metric(student.row.main_metric)
    lines = [
        FormLine(f"{FOLDER}/{FILES[form]}", each.megabytes, each.examples_per_second, each.metrics.get(metric))
        for form, each in forms.items()
    ]
    if not lines or own is None:
        return lines
    return [FormLine("itself", own.megabytes, own.examples_per_second, student.row.test), *lines]
