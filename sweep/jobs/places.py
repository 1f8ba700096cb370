"""How far an attempt had come when its worker died: the batches since its start, in a file that outlives the process.

Only a local storage has such files: an object store cannot be written to at each batch.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from mmap import mmap
from pathlib import Path
from uuid import uuid4

from sweep.records.processes import writer
from sweep.records.records import Attempt, Record
from trainables import pulse

logger = logging.getLogger(__name__)

START = ".batches."
"""Starts the name of the file. The rest of it is that of incomplete files, which `Storage.clean` removes."""


@contextmanager
def kept(attempts: Sequence[Attempt]) -> Generator[None]:
    """Counts the batches of these attempts, which are computed together, until the end of the context."""
    with ExitStack() as files:
        try:
            places = [files.enter_context(_place(each)) for each in attempts if each.record.storage.is_local]
        except OSError as error:  # a full disk, or one without such files
            logger.warning("the place is not kept in case that the worker dies: %s", error)
            places = []
        pulse.begin(places)
        try:
            yield
        finally:
            pulse.begin()


@contextmanager
def _place(attempt: Attempt) -> Generator[mmap]:
    path = attempt.folder / f"{START}{writer()}.{uuid4().hex}"
    try:
        with path.open("x+b") as file:
            file.write(bytes(pulse.NUM_BYTES))  # a file with a hole would end the process where the disk is full
            file.flush()
            with mmap(file.fileno(), pulse.NUM_BYTES) as place:
                yield place
    finally:
        path.unlink(missing_ok=True)


def last(record: Record, number: int) -> int | None:
    """The batches that an attempt had begun when its worker died; None where that is not known."""
    if not record.storage.is_local:
        return None
    folder = Path(record.storage.full_url(f"{record.root}/attempts/{number}"))
    files = [path.read_bytes() for path in folder.glob(f"{START}*")]
    return int.from_bytes(files[0]) if files else None
