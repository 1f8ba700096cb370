"""The description of a sweep that is stored beside the records, so that its report can be drawn again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, PlainSerializer, PlainValidator, field_validator

from sweep.grid.blocks import NAMES, OncePerSeeds
from sweep.grid.cells import Cell
from sweep.records.environment import SweepEnvironment
from sweep.records.storage import Storage
from sweep.records.stored import StoredFile
from sweep.spec.baselines import Baseline
from sweep.spec.passwords import without_passwords
from sweep.spec.verdict import VerdictSettings
from trainables.config import TrialConfig
from trainables.errors import InputError, Problem
from trainables.plugins import Plugin, activate

FILE = "sweep.json"
Keep = Literal["best", "all", "none"]
"""Which students a sweep keeps."""


class StoredCell(BaseModel, frozen=True):
    """A cell in `sweep.json`."""

    config: TrialConfig
    data: str
    teacher: str
    """The teacher's hash."""
    fingerprint: str
    baseline: Baseline | None = None
    origin: TrialConfig | None = None

    @field_validator("config", "origin", mode="before")
    @classmethod
    def _known_fields(cls, config: dict[str, Any] | None) -> dict[str, Any] | None:
        """Drops fields that this program no longer has; a report does not show them."""
        if config is None:
            return None
        return {name: value for name, value in config.items() if name in TrialConfig.model_fields}


def _from_stored(values: Sequence[Any]) -> tuple[Cell, ...]:
    """The cells; equal blocks of their configs are one object, as in a grid, and are read once."""
    blocks: dict[tuple[str, str], Any] = {}
    return tuple(value if isinstance(value, Cell) else _cell(value, blocks) for value in values)


def _cell(value: Any, blocks: dict[tuple[str, str], Any]) -> Cell:
    fields = value.get("config") if isinstance(value, dict) else None
    parts = fields.items() if isinstance(fields, dict) else ()
    texts = {name: json.dumps(block) for name, block in parts if name in NAMES}
    known = {name: blocks.get((name, text)) for name, text in texts.items()}
    is_known = bool(known) and None not in known.values()
    stored = StoredCell.model_validate({**value, "config": known} if is_known else value)
    for name, text in texts.items():
        blocks.setdefault((name, text), getattr(stored.config, name))
    return Cell(stored.config, stored.data, stored.teacher, stored.fingerprint, stored.baseline, stored.origin)


def _to_stored(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    known = OncePerSeeds[dict[str, Any]]()
    configs = [known.of(lambda config: config.model_dump(mode="json"), cell.config) for cell in cells]
    return [
        {
            "config": {**config, "seed": cell.config.seed},
            "data": cell.data,
            "teacher": cell.teacher_hash,
            "fingerprint": cell.fingerprint,
            **_origin(cell),
        }
        for cell, config in zip(cells, configs, strict=True)
    ]


def _origin(cell: Cell) -> dict[str, Any]:
    """What a baseline has beside a cell of the grid."""
    return {"baseline": cell.baseline, "origin": cell.origin.model_dump(mode="json")} if cell.origin else {}


ArchivedCells = Annotated[tuple[Cell, ...], PlainValidator(_from_stored), PlainSerializer(_to_stored)]


class CellKey(BaseModel, frozen=True):
    """What a cell is known by: its fingerprint, and the hashes of its teacher and data."""

    fingerprint: str
    teacher: str
    data: str

    @classmethod
    def of(cls, cell: Cell) -> Self:
        return cls(fingerprint=cell.fingerprint, teacher=cell.teacher_hash, data=cell.data)


class StudyOutline(BaseModel, frozen=True):
    """The candidates of a study."""

    cells: tuple[CellKey, ...]


class ArchivedStudy(BaseModel, frozen=True):
    """The search of one group: its candidates in their order."""

    group: str
    """Its label."""
    cells: ArchivedCells
    num_told: int
    """The candidates, from the first on, whose round has ended."""
    chosen: int | None = None
    """The number of the candidate with the best score, once the search has ended."""
    importance: dict[str, float] = {}
    """Searched field -> its share of what makes a candidate good."""


class Outline(StoredFile, frozen=True):
    """`sweep.json` without the configs in it, so that no plug-in is needed to read it."""

    name: str
    time: int
    """Milliseconds since the epoch."""
    keep: Keep = "best"
    cells: tuple[CellKey, ...]
    studies: tuple[StudyOutline, ...] = ()

    @property
    def all_cells(self) -> tuple[CellKey, ...]:
        """The cells and the candidates of their search."""
        return (*self.cells, *(cell for study in self.studies for cell in study.cells))


class SweepPlugins(StoredFile, frozen=True):
    """The plug-ins of `sweep.json`, without which the configs in it cannot be read."""

    plugins: tuple[Plugin, ...] = ()


class Sweep(SweepPlugins, frozen=True):
    """`sweep.json`: one sweep with its cells, and how, when and where it was run."""

    name: str
    command: str
    time: int
    """Milliseconds since the epoch."""
    environment: SweepEnvironment
    cells: ArchivedCells
    tracking_uri: str
    experiment_id: str
    keep: Keep = "best"
    """The students that stay."""
    verdict: VerdictSettings = VerdictSettings()
    runs: dict[str, str]
    """Fingerprint -> id of the cell's run in MLflow."""
    own: tuple[str, ...] = ()
    """The fingerprints of the cells of the last call; empty where all cells are its own."""
    searched: tuple[str, ...] = ()
    """The dotted paths of the fields that a search sets."""
    shared: tuple[str, ...] = ()
    """The axes that a search has one value of, as `init teacher`."""
    studies: tuple[ArchivedStudy, ...] = ()

    @property
    def folder(self) -> str:
        return f"sweeps/{self.name}"

    def store(self, storage: Storage) -> None:
        storage.write(f"{self.folder}/{FILE}", self.dump())

    @classmethod
    def load(cls, storage: Storage, name: str) -> Self:
        """The sweep of that name. Activates its plug-ins in this process.

        Raises InputError if there is no such sweep, or if this program cannot read its file.
        """
        path = f"sweeps/{name}/{FILE}"
        known = SweepPlugins.read(storage, path) if name in storage.list("sweeps") else None
        if known is None:
            raise InputError([Problem("name", f"got {name!r}; expected one of {', '.join(names(storage))}")])
        activate(known.plugins)
        sweep = cls.read(storage, path)
        assert sweep is not None
        return sweep


def names(storage: Storage) -> list[str]:
    """The names of the sweeps in a storage. Raises InputError if there is none."""
    known = [name for name in storage.list("sweeps") if FILE in storage.list(f"sweeps/{name}")]
    if not known:
        place = without_passwords(storage.url)
        raise InputError(
            [Problem("storage", f"got {place!r}, which holds no sweep; give the storage of a sweep's config")]
        )
    return known


def outlines(storage: Storage) -> list[Outline]:
    """The sweeps of a storage by name. Raises InputError where one of them cannot be read."""
    files = (Outline.read(storage, f"sweeps/{name}/{FILE}") for name in storage.list("sweeps"))
    return [outline for outline in files if outline is not None]
