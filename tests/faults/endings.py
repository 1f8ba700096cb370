"""What a sweep has left when it has ended: its records, its runs in MLflow, and what should not be there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from sweep.records import log
from sweep.records.records import Record, Records
from tests.faults.cuts import contents
from tests.trainables.alone import timeless

ARTIFACTS = "mlflow-artifacts"
_LEFT = re.compile(r"lease-\d+\.json|driver-\d+\.json|\..+")
"""The name of a lease, of a driver's file or of a file that is not complete."""
_BEGUN = re.compile(r"training begins: \d+ steps, of which (\d+) are done")
_REACHED = re.compile(r"(?:evaluation at|checkpoint at) step (\d+)")


def every(records: Records) -> list[Record]:
    cells = [records.cell(name) for name in records.cells()]
    return [*map(records.teacher, records.teachers()), *cells]


def stored(records: Records) -> dict[str, Any]:
    """All that the records give, but for times and rates. All of them have to be done."""
    missing = [record.root for record in every(records) if record.result() is None]
    assert not missing, f"{missing} have no result"
    return contents(every(records))


def shown(client: MlflowClient, experiment: str) -> dict[str, Any]:
    """All that MLflow shows of cells and teachers, but for times and rates; every run has to be there once, and ended.

    Of metrics of time, the steps alone.
    """
    known = client.get_experiment_by_name(experiment)
    assert known is not None
    runs = [run for kind in ("sweep", "teacher", "cell") for run in _runs(client, known.experiment_id, kind)]
    stands = [run.info.run_name for run in runs if run.info.status != "FINISHED" or "reason" in run.data.tags]
    assert not stands, f"the runs {stands} have not ended well"
    every_run: dict[str, Any] = {}
    for run in runs:
        identity = f"{run.data.tags['kind']} {run.data.tags.get(run.data.tags['kind'], '')}"
        assert identity not in every_run, f"MLflow shows {identity} twice"
        every_run[identity] = {} if run.data.tags["kind"] == "sweep" else _points(client, run)
    return every_run


def _runs(client: MlflowClient, experiment_id: str, kind: str) -> list[Any]:
    return list(client.search_runs([experiment_id], f"tags.kind = '{kind}'"))


def _points(client: MlflowClient, run: Any) -> dict[tuple[str, int], float | None]:
    points: dict[tuple[str, int], float | None] = {}
    for key in run.data.metrics:
        if key.startswith("system/"):
            continue
        for point in client.get_metric_history(run.info.run_id, key):
            assert (key, point.step) not in points, f"{run.info.run_name} has {key} twice at step {point.step}"
            points[key, point.step] = timeless({key: point.value}).get(key)
    return points


def leftovers(folder: Path) -> list[str]:
    """The leases, heartbeats, files of drivers and incomplete files of a storage. MLflow looks after its own files."""
    files = [file for file in folder.rglob("*") if file.is_file() and ARTIFACTS not in file.parts]
    return sorted(
        str(file.relative_to(folder))
        for file in files
        if _LEFT.fullmatch(file.name) or file.parent == folder / "heartbeats"
    )


def num_steps(records: Records) -> tuple[int, int]:
    """The optimiser steps of all records, and how many were computed more than once, as far as logs and journals show.

    An attempt shows the step at which it begins, and those of its journal, its evaluations and its checkpoints.
    """
    needed = computed = 0
    for record in every(records):
        result = record.result()
        assert result is not None
        needed += result.steps
        computed += sum(_num_steps(record, number) for number in record.attempts())
    return needed, max(0, computed - needed)


def _num_steps(record: Record, number: int) -> int:
    text = (record.storage.read(f"{record.root}/attempts/{number}/{log.FILE}") or b"").decode(errors="replace")
    begun = _BEGUN.search(text)
    if begun is None:
        return 0
    first, row = int(begun[1]), record._journal(number).last()
    return max([first, *map(int, _REACHED.findall(text)), row["step"] if row else 0]) - first
