"""The results of a storage as pandas tables, for a notebook: `from sweep import load_angles, load_results`.

This module loads neither torch, Ray nor MLflow. It loads the plug-ins that a sweep used, since its cells name them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sweep.records import archive
from sweep.records.archive import Sweep
from sweep.records.records import Record, Records
from sweep.records.storage import Storage
from sweep.report import results
from sweep.report.results import ResultRow
from trainables import angle_file
from trainables.angle_file import Angles
from trainables.errors import InputError, Problem

ANGLES = (
    "fingerprint",
    "stack",
    "step",
    "student_state",
    "teacher_state_i",
    "teacher_state_k",
    "cos_mean",
    "acute_share",
    "count",
)
"""The columns of `load_angles`."""


def load_results(storage: str | Path, name: str | None = None) -> pd.DataFrame:
    """One row per teacher and per cell of a sweep, whatever its status, even while the sweep still runs.

    `storage` is a path or an fsspec URL. `name` is the name of a sweep; None takes every sweep of the storage.

    Columns: `sweep`; `kind` (teacher or cell); `model`, `task`, `strategy`, `init`, `seed`; `status` (done, failed or
    missing) and the `reason` of a failure; `step`, the last optimiser step with a measurement, and `measured`, the time
    of that measurement in UTC; `main_metric`, and that metric as `best` (validation), `test`, `teacher_test` and
    `chance` (of guessing); `share_of_teacher`, the share of the way from chance to the teacher; `teacher` and
    `fingerprint`, which name the records; one column for each further field that the sweep varies, such as
    `train.learning_rate`; one for each final metric, such as `test/accuracy`. A value that does not exist, or not yet,
    is missing.

    Raises InputError where the storage holds no sweep, or none with that name.

    Example, the mean of each strategy over the seeds:

        from sweep import load_results

        results = load_results("runs", "demo")
        cells = results[(results.kind == "cell") & (results.status == "done")]
        cells.groupby(["model", "init", "strategy"])["share_of_teacher"].agg(["mean", "count"])
    """
    place = Storage(str(storage))
    records = Records(place)
    tables = ((each.name, results.rows(records, each.cells, each.searched)) for each in _sweeps(place, name))
    rows = [(sweep, row) for sweep, table in tables for row in table]
    columns, lines = results.table([row for _, row in rows])
    frame = pd.DataFrame(lines, columns=columns)
    progress = [_progress(_record(records, row)) for _, row in rows]
    frame.insert(columns.index("reason") + 1, "step", [step for step, _ in progress])
    frame.insert(columns.index("reason") + 2, "measured", [time for _, time in progress])
    frame.insert(0, "sweep", [sweep for sweep, _ in rows])
    for axis in dict.fromkeys(axis for _, row in rows for axis in (*row.axes, *row.searched)):
        frame[axis] = _numbers(frame[axis])
    return frame.astype({"seed": "Int64", "step": "Int64", "measured": "datetime64[ms, UTC]"})


def load_angles(storage: str | Path, name: str | None = None, *, fingerprint: str | None = None) -> pd.DataFrame:
    """The angles at which the teacher's states are seen from the student's, one row per pair of teacher states.

    `storage` is a path or an fsspec URL. The cells are those of the sweep `name`, or those whose fingerprint
    begins with `fingerprint`, or all cells of the storage. Only finished cells have angles, so a sweep that still runs
    gives those of the cells that it has finished.

    Columns: `fingerprint` of the cell, as in `load_results`; `stack` (encoder or decoder); `step` of the optimiser, 0
    before training; `student_state`, `teacher_state_i` and `teacher_state_k` with i < k, where state 0 is the
    embeddings; `cos_mean` of the angle between i and k seen from the student's state, over the tokens of the probe;
    `acute_share` of them below 90 degrees; `count` of tokens. Histograms are in `angles.npz`, which
    `trainables.angle_file.read` reads.

    Raises InputError where the storage holds no such sweep or cell.

    Example, the share of acute angles after training by strategy:

        from sweep import load_angles, load_results

        angles, results = load_angles("runs", "demo"), load_results("runs", "demo")
        last = angles[angles.step == angles.groupby("fingerprint").step.transform("max")]
        named = last.merge(results[["fingerprint", "model", "strategy"]], on="fingerprint")
        named.groupby(["model", "stack", "strategy"])["acute_share"].mean()
    """
    place = Storage(str(storage))
    records = Records(place)
    parts = [
        _pairs(cell, stack, angles)
        for cell in _fingerprints(place, name, fingerprint)
        if (file := records.cell(cell).path("angles.npz"))
        for stack, angles in angle_file.read(file).items()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(ANGLES))


def _sweeps(storage: Storage, name: str | None) -> Iterator[Sweep]:
    """The sweeps, one after the other: the plug-ins of the one that is taken last are active."""
    for each in archive.names(storage) if name is None else [name]:
        yield Sweep.load(storage, each)


def _fingerprints(storage: Storage, name: str | None, prefix: str | None) -> Iterable[str]:
    if prefix is None:
        return dict.fromkeys(cell.fingerprint for each in _sweeps(storage, name) for cell in each.cells)
    fingerprints = [each for each in storage.list("cells") if each.startswith(prefix)]
    if not fingerprints:
        raise InputError([Problem("fingerprint", f"got {prefix!r}; no cell of the storage begins with it")])
    return fingerprints


def _record(records: Records, row: ResultRow) -> Record:
    return records.cell(row.fingerprint) if row.kind == "cell" else records.teacher(row.teacher)


def _progress(record: Record) -> tuple[int | None, datetime | None]:
    """The last step with a measurement, and its time. The record need not be finished."""
    last = record.last_row()
    return (last["step"], datetime.fromtimestamp(last["time"] / 1000, UTC)) if last else (None, None)


def _numbers(texts: pd.Series[Any]) -> pd.Series[Any]:
    """A column of the config, as numbers where all of its values are numbers."""
    try:
        return pd.to_numeric(texts)
    except ValueError:
        return texts


def _pairs(fingerprint: str, stack: str, angles: Angles) -> pd.DataFrame:
    """The pairs of teacher states in one stack of one cell, at every evaluation."""
    num_states = angles.cos_mean.shape[-1]
    above_MM = np.triu(np.ones((num_states, num_states), dtype=bool), k=1)
    step, student, i, k = where = np.nonzero(np.broadcast_to(above_MM, angles.cos_mean.shape))
    columns = (angles.step[step], student, i, k, angles.cos_mean[where], angles.acute_share[where], angles.count[where])
    return pd.DataFrame({"fingerprint": fingerprint, "stack": stack, **dict(zip(ANGLES[2:], columns, strict=True))})
