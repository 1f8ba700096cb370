"""What is known of a sweep beside its records, kept so that its report can be drawn again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from sweep.grid.cells import Cell
from sweep.records.records import Facts
from sweep.records.storage import Storage
from sweep.spec.passwords import hidden
from trainables.config import TrialConfig
from trainables.errors import InputError, Problem
from trainables.plugins import Plugin, activate

FILE = "sweep.json"


@dataclass(frozen=True)
class Sweep:
    """One sweep: its cells, and how, when and where it was run."""

    name: str
    command: str
    time: int
    """Milliseconds since the epoch."""
    environment: Facts
    """As environment.describe gives it."""
    cells: tuple[Cell, ...]
    tracking_uri: str = ""
    experiment_id: str = ""
    runs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Fingerprint -> id of the cell's run in MLflow."""
    plugins: tuple[Plugin, ...] = ()
    """Without them its cells' configs could not be read."""

    @property
    def folder(self) -> str:
        return f"sweeps/{self.name}"

    def store(self, storage: Storage) -> None:
        cells = [{**vars(cell), "config": cell.config.model_dump(mode="json")} for cell in self.cells]
        facts = {
            **vars(self),
            "cells": cells,
            "runs": dict(self.runs),
            "plugins": [vars(each) for each in self.plugins],
        }
        storage.write(f"{self.folder}/{FILE}", json.dumps(facts, ensure_ascii=False).encode())

    @classmethod
    def load(cls, storage: Storage, name: str) -> Self:
        """The sweep of that name, its plug-ins known to this process. Raises InputError where there is none."""
        data = storage.read(f"sweeps/{name}/{FILE}") if name in storage.list("sweeps") else None
        if data is None:
            raise InputError([Problem("name", f"got {name!r}; the sweeps there are: {', '.join(names(storage))}")])
        facts: dict[str, Any] = json.loads(data)
        facts["plugins"] = tuple(Plugin(**each) for each in facts.get("plugins", ()))
        activate(facts["plugins"])
        cells: list[Any] = [{**cell, "config": TrialConfig.model_validate(cell["config"])} for cell in facts["cells"]]
        facts["cells"] = tuple(Cell(**cell) for cell in cells)
        return cls(**facts)


def names(storage: Storage) -> list[str]:
    """The names of the sweeps of a storage. Raises InputError where there is none."""
    known = [name for name in storage.list("sweeps") if FILE in storage.list(f"sweeps/{name}")]
    if not known:
        place = hidden(storage.url)
        raise InputError([Problem("storage", f"got {place!r}, which holds no sweep; the storage of a sweep's config")])
    return known
