"""What a test of the tasks starts from: a small config, and files written under `tmp_path`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainables.builtin import TASKS
from trainables.config import TaskConfig
from trainables.tasks.rows import SPLITS

Write = Callable[..., TaskConfig]


@pytest.fixture(scope="session")
def small() -> Callable[..., TaskConfig]:
    """A built-in task with few rows; keyword arguments go to `generated`."""

    def config(name: str, **generated: Any) -> TaskConfig:
        fields = TASKS[name]
        sizes = {"train": 300, "validation": 60, "test": 90, **generated}
        return TaskConfig.model_validate({**fields, "generated": {**fields["generated"], **sizes}})

    return config


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes JSON lines of each split, validation and test as training where left out, and gives the task."""

    def task(train: list[Any], validation: list[Any] | None = None, test: list[Any] | None = None, **fields: Any):
        for name, rows in zip(SPLITS, (train, validation, test), strict=True):
            lines = [row if isinstance(row, str) else json.dumps(row) for row in (train if rows is None else rows)]
            (tmp_path / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        files = {name: str(tmp_path / f"{name}.jsonl") for name in SPLITS}
        defaults = {"name": "own", "kind": "classification", "files": files}
        if fields.get("kind", "classification") == "classification":
            defaults["text"] = ["text"]
        return TaskConfig.model_validate({**defaults, **fields})

    return task
