"""The best student in other forms, written beside its weights and measured once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sweep.plan.checks import Checked
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.stored import Exports
from sweep.report.forms import FILE, exports
from sweep.report.usage import SavedStudent
from trainables.forms import FOLDER, Exported, Form
from trainables.tasks.rows import Data

logger = logging.getLogger(__name__)


def export(
    student: SavedStudent, data: Data, asked: Sequence[Form], records: Records, num_threads: int
) -> dict[Form, Exported]:
    """The student in the asked forms; those that are written already are not written again.

    Raises ValueError where torch cannot trace the student. Torch is loaded only for what is missing.
    """
    record = records.cell(student.row.fingerprint)
    result, folder = record.result(), record.path("student")
    assert result is not None
    assert folder is not None, "a saved student has a folder"
    known = exports(records, student.row.fingerprint)
    missing: list[Form] = [form for form in dict.fromkeys(asked) if form not in known]
    if missing:
        from trainables.exports import export as write

        place = f"{record.root}/{result.student}/{FOLDER}"
        files = record.storage.workspace(place)
        logger.info("the best student is written as %s", " and ".join(missing))
        made = write(folder, student.config, data, missing, files, num_threads)
        record.storage.put(files, place)
        known |= made
        record.storage.write(f"{place}/{FILE}", Exports(forms=known).dump())
    return {form: known[form] for form in asked}


def export_best(student: SavedStudent, sweep: Sweep, checked: Checked, records: Records) -> str:
    """Writes the best student of a sweep in the forms that the config asks for; returns why not, empty if it did."""
    cell = next(cell for cell in sweep.cells if cell.fingerprint == student.row.fingerprint)
    data, config = checked.data.get(cell.data), checked.config
    if data is None:
        return "it is of an earlier call, whose data this call does not read"
    try:
        export(student, data, config.students.export, records, config.resources.cpus)
    except ValueError as error:
        return str(error)
    return ""
