"""Loads what trials need on a worker that would have nothing to do until the first teacher is done.

Torch and transformers take seconds to load. Tune keeps the worker for the next trial that is ready.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sweep.jobs.attempts import Context
from sweep.records.records import Records, TeacherRecord

LIMIT_SECONDS = 300.0
"""The longest wait for a teacher: a place that is only held would keep others out, such as the teacher's next try."""
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Loading:
    """A trial without a cell."""

    teachers: tuple[str, ...]
    """The hashes of the teachers that are made at the same time."""

    def run(self, context: Context) -> None:
        """Loads torch and transformers, and returns once a teacher has come to an end."""
        from trainables import distill as _  # noqa: F401

        records, deadline = Records(context.storage), time.monotonic() + LIMIT_SECONDS
        teachers = [records.teacher(teacher) for teacher in self.teachers]
        while not any(map(_has_ended, teachers)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _has_ended(teacher: TeacherRecord) -> bool:
    return teacher.result() is not None or teacher.last_failure() is not None
