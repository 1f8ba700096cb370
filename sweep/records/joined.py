"""The cells of all calls of a sweep: a narrower call does not make its table and report narrower.

A cell of an earlier call stays as long as its record has ended and this call has no cell with the same config, which
other data or another program made anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from sweep.grid.cells import Cell
from sweep.grid.fingerprint import canonical
from sweep.records.archive import FILE, Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from trainables.errors import InputError
from trainables.inert import at_defaults, without_inert

logger = logging.getLogger(__name__)


def joined(sweep: Sweep, storage: Storage) -> Sweep:
    """The sweep with the cells of its earlier calls and their runs; its own cells are marked."""
    earlier = earlier_call(sweep.name, storage)
    own = tuple(cell.fingerprint for cell in sweep.cells)
    cells = all_cells(sweep.name, sweep.cells, storage, sweep.searched)
    is_same_place = earlier and (earlier.tracking_uri, earlier.experiment_id) == (
        sweep.tracking_uri,
        sweep.experiment_id,
    )
    runs = {**earlier.runs, **sweep.runs} if earlier and is_same_place else sweep.runs
    groups = {study.group for study in sweep.studies}
    others = [study for study in (earlier.studies if earlier else ()) if study.group not in groups]
    studies = (*sweep.studies, *others)
    return sweep.model_copy(update={"cells": cells, "own": own, "runs": runs, "studies": studies})


def all_cells(name: str, cells: Iterable[Cell], storage: Storage, searched: Sequence[str] = ()) -> tuple[Cell, ...]:
    """These cells, and those of earlier calls of the sweep; in the earlier order where it has all of these.

    An earlier cell that differs from one of these only in the fields that a search sets is left out.
    """
    own = {cell.fingerprint: cell for cell in cells}
    earlier = earlier_call(name, storage)
    if earlier is None:
        return tuple(own.values())
    configs = {_effect(cell, searched) for cell in own.values()}
    records = Records(storage)
    kept = {
        cell.fingerprint: cell
        for cell in earlier.cells
        if cell.fingerprint in own
        or (_effect(cell, searched) not in configs and records.cell(cell.fingerprint).state() != "missing")
    }
    return tuple({**kept, **own}.values()) if own.keys() <= kept.keys() else tuple({**own, **kept}.values())


def earlier_call(name: str, storage: Storage) -> Sweep | None:
    """What the last call of the sweep has stored; None where nothing, or nothing that this program can read."""
    try:
        return Sweep.read(storage, f"sweeps/{name}/{FILE}")
    except InputError as error:
        logger.warning("the cells of earlier calls are left out: %s", error)
        return None


def _effect(cell: Cell, searched: Sequence[str]) -> str:
    """A text that is equal for cells whose configs have the same effect, whatever the searched fields are."""
    return canonical(without_inert(at_defaults(cell.config, searched)).model_dump(mode="json"))
