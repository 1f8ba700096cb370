"""A hub's data set is kept at the commit that it had at the first sweep of a storage; a plan does without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from rich.console import Console

from sweep.plan import states
from sweep.plan.checks import prepare
from sweep.records.records import Records
from sweep.records.revisions import Revisions
from sweep.records.storage import Storage
from tests.sweep.own_data import BASE, write_all
from trainables.config import Hub, TaskConfig
from trainables.errors import InputError, Problem

NEW, OLD = "a" * 40, "b" * 40
HUB = {"path": "own/data", "name": "one"}
TASK = {
    "name": "hub",
    "kind": "classification",
    "hub": HUB,
    "splits": {"validation": "train[-1:]"},
    "examples": {"train": 300, "validation": 20, "test": 10},
    "text": ["text"],
    "max_length": 16,
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """What the hub was asked for; it has one data set, at the commit NEW, or at the one that is asked for."""
    questions: list[tuple[str, str | None]] = []

    def answer(hub: Hub) -> str | None:
        questions.append((hub.path, hub.revision))
        if hub.path != "own/data":
            raise InputError([Problem("hub.path", "got a data set that is not there")])
        return hub.revision or NEW

    monkeypatch.setattr("sweep.records.revisions.find_revision", answer)
    return questions


def task(**hub: Any) -> TaskConfig:
    return TaskConfig.model_validate({**TASK, "hub": {**HUB, **hub}})


def revision(task: TaskConfig) -> str | None:
    assert task.hub is not None
    return task.hub.revision


def test_the_first_commit_is_kept(tmp_path: Path, asked: list[tuple[str, str | None]]) -> None:
    first = Revisions(str(tmp_path))
    assert revision(first.pinned(task())) == NEW
    assert list(tmp_path.iterdir()) == []  # nothing before it is kept
    first.keep()
    kept = tmp_path / "datasets" / "own--data.json"
    assert json.loads(kept.read_text()) == {"path": "own/data", "revision": None, "commit": NEW}

    kept.write_text(json.dumps({"commit": OLD}))
    later = Revisions(str(tmp_path))
    assert revision(later.pinned(task(name="two"))) == OLD
    assert asked == [("own/data", None), ("own/data", OLD)]
    later.keep()
    assert json.loads(kept.read_text()) == {"commit": OLD}


def test_a_revision_that_is_asked_for_is_kept_apart(tmp_path: Path, asked: list[tuple[str, str | None]]) -> None:
    both = Revisions(str(tmp_path))
    assert revision(both.pinned(task(revision="refs/convert/parquet"))) == "refs/convert/parquet"
    assert revision(both.pinned(task())) == NEW
    both.keep()
    assert Storage(str(tmp_path)).list("datasets") == ["own--data.json", "own--data@refs--convert--parquet.json"]


def test_a_plan_does_without_the_data_where_its_numbers_are_stated(
    tmp_path: Path, asked: list[tuple[str, str | None]], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_all(tmp_path, base={**BASE, "task": TASK}, axes={"strategy": ["none", "forward"]})
    places = [f"storage={tmp_path}/runs", "tracking_required=false"]
    checked = prepare(path, places, look_up=False)
    assert asked == []
    assert len({cell.fingerprint for cell in checked.cells}) == 2
    assert checked.data == {}
    planned = states.Plan.of(checked, Records(Storage(checked.config.storage_url)))
    assert states.counts(planned) == "teachers: 1 not looked up; cells: 2 not looked up"
    states.show(planned, Console(width=200), {})
    assert capsys.readouterr().out.count("not looked up") == 5
    other = prepare(path, [*places, "base.task.hub.name=two"], look_up=False)
    assert not {cell.fingerprint for cell in checked.cells} & {cell.fingerprint for cell in other.cells}


def test_a_plan_still_finds_what_is_wrong(tmp_path: Path, asked: list[tuple[str, str | None]]) -> None:
    path = write_all(tmp_path, base={**BASE, "task": {**TASK, "text": None}})
    with pytest.raises(InputError, match=r"base\.task\.text: got null"):
        prepare(path, [f"storage={tmp_path}/runs"], look_up=False)
    unstated = write_all(tmp_path, base={**BASE, "task": {**TASK, "examples": None, "hub": {"path": "own/nothing"}}})
    with pytest.raises(InputError, match=r"base\.task\.hub\.path: got a data set that is not there"):
        prepare(unstated, [f"storage={tmp_path}/runs"], look_up=False)


def test_a_folder_in_place_of_the_hub(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "label": i % 2} for i in range(6)]
    (tmp_path / "own" / "data").mkdir(parents=True)
    for split in ("train", "test"):
        datasets.Dataset.from_list(rows).to_parquet(tmp_path / "own" / "data" / f"{split}.parquet")
    # Relative to the config file, though it may look like an id.
    path = write_all(tmp_path, base={**BASE, "task": {**TASK, "hub": {"path": "own/data"}}})
    checked = prepare(path, [f"storage={tmp_path}/runs"], look_up=False)
    (data,) = checked.data.values()
    assert (len(data.train), len(data.validation), len(data.test)) == (6 - 1, 1, 6)
    checked.revisions.keep()
    assert not (tmp_path / "runs").exists()
