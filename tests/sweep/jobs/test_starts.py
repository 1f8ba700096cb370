"""Where the cells of a trial continue, whatever checkpoints each of them has."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.jobs import starts
from sweep.records.checkpoints import MANIFEST
from sweep.records.records import CellRecord, Records
from sweep.records.storage import Storage
from tests.sweep.records.test_checkpoints import save
from tests.sweep.tracked import begin


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(Storage(str(tmp_path / "runs")))


def cut_off(records: Records, folder: Path, name: str, *steps: int) -> CellRecord:
    """A cell with checkpoints of these steps."""
    record = records.cell(name)
    save(begin(record), folder / name, *steps)
    return record


def steps_of(*cells: CellRecord) -> list[dict[str, int | None]]:
    return [
        {record.identity: start.point.step if start else None for record, start in group}
        for group in starts.groups(cells)
    ]


def test_cells_continue_together_at_the_last_step_of_all(records: Records, tmp_path: Path) -> None:
    """A cohort that is cut off while its members save has the new checkpoint of some of them only."""
    one, two = cut_off(records, tmp_path, "a", 5, 10), cut_off(records, tmp_path, "b", 5)
    assert steps_of(one, two) == [{"a": 5, "b": 5}]
    assert steps_of(one) == [{"a": 10}]


def test_cells_at_different_steps_continue_apart(records: Records, tmp_path: Path) -> None:
    one, two = cut_off(records, tmp_path, "a", 5, 10), cut_off(records, tmp_path, "b", 15, 20)
    new, other = records.cell("c"), records.cell("d")
    assert steps_of(one, new, two, other) == [{"a": 10}, {"c": None, "d": None}, {"b": 20}]


def test_before_a_damaged_checkpoint(records: Records, tmp_path: Path) -> None:
    one, two = cut_off(records, tmp_path, "a", 5, 10), cut_off(records, tmp_path, "b", 5, 10)
    two.storage.write("cells/b/attempts/1/checkpoints/10/state.json", b"damaged")
    assert steps_of(one, two) == [{"a": 5, "b": 5}]
    two.storage.delete(f"cells/b/attempts/1/checkpoints/5/{MANIFEST}")
    assert steps_of(one, two) == [{"a": 10}, {"b": None}]
