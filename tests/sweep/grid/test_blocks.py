"""What cells share is computed once, and gives what each cell by itself would."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from sweep.grid import fingerprint as hashing
from sweep.grid.blocks import Once, OncePerSeeds
from sweep.grid.fingerprint import Fingerprints, fingerprint
from sweep.spec.sweep import SweepConfig
from tests.sweep.grids import expand
from trainables.config import TrialConfig
from trainables.inert import without_inert
from trainables.recipe import RECIPE

BASE: dict[str, Any] = {"model": "tiny-bert", "task": "natural-logic", "dtype": "fp32"}
AXES: dict[str, list[Any]] = {
    "strategy": ["none", "forward", {"kind": "random", "redraw": "epoch"}],
    "init": ["random", "teacher"],
    "losses.hidden": [1, 3],
    "losses.distance": ["mse", "cosine"],
    "train.learning_rate": [1e-3, 2e-4],
    "train.patience": [None, 2],
    "model.student_width": [None, 16],
    "seed": [0, 1, 2],
}


def written_out(trial: TrialConfig, data: str, teacher: str) -> str:
    """The fingerprint by its definition: the hash of one mapping, written as JSON."""
    trial = without_inert(trial)
    fields = trial.model_dump(mode="json")
    for name in ("name", "teacher", "revision", "shape", "finetune", "lora"):
        del fields["model"][name]
    for name in ("name", "files", "generated", "hub", "splits", "sample", "examples", "metric"):
        del fields["task"][name]
    unused = {"checkpoint_minutes", "gradient_checkpointing", *(["patience"] if trial.train.patience is None else [])}
    fields["train"] = {name: value for name, value in fields["train"].items() if name not in unused}
    defaults = {"losses": {"distance": {"kind": "mse"}, "own": None}, "strategy": {"redraw": "never"}}
    for block, known in defaults.items():
        fields[block] = {name: value for name, value in fields[block].items() if known.get(name, ...) != value}
    content = {"recipe": RECIPE, "data": data, "teacher": teacher, **fields}
    text = json.dumps(plain(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def plain(value: Any) -> Any:
    """Whole numbers as integers, at any depth."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_shared_hashes_are_those_of_each_cell_by_itself() -> None:
    cells = expand(SweepConfig.model_validate({"name": "x", "base": BASE, "axes": AXES}))
    shared, source = Fingerprints(), {"hub": "id"}
    assert len(cells) > 200
    for number, cell in enumerate(cells):
        data = f"data {number % 2}"
        teacher = shared.teacher(cell, data, source)
        assert teacher == Fingerprints().teacher(cell, data, source)
        assert shared.cell(cell, data, teacher) == fingerprint(cell, data, teacher) == written_out(cell, data, teacher)


def test_seeds_write_no_block_again(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    text = hashing._block_text

    def count(trial: TrialConfig, name: str) -> str:
        written.append(name)
        return text(trial, name)

    monkeypatch.setattr(hashing, "_block_text", count)
    cells = expand(SweepConfig.model_validate({"name": "x", "base": BASE, "axes": {"seed": [*range(50)]}}))
    shared = Fingerprints()
    assert len({shared.cell(cell, "data", "teacher") for cell in cells}) == 50
    assert sorted(written) == ["losses", "model", "strategy", "task", "train"]


def test_an_object_is_known_as_itself() -> None:
    known, first, equal = Once[int](), [1], [1]
    values = iter(range(9))
    assert [known.of(lambda: next(values), each) for each in (first, equal, first)] == [0, 1, 0]
    assert [known.of(lambda: next(values), first, key=key) for key in ("a", "b", "a")] == [2, 3, 2]
    # An object that is kept alive leaves its identity to no other.
    assert len({known.of(lambda number=number: 100 + number, [number]) for number in range(100)}) == 100


def test_configs_that_differ_in_more_than_their_seeds_are_apart() -> None:
    axes = {"seed": [0, 1], "init": ["random", "teacher"], "losses.kl": [1, 2], "model.student_blocks": [1, 2]}
    cells = expand(SweepConfig.model_validate({"name": "x", "base": BASE, "axes": axes}))
    known = OncePerSeeds[TrialConfig]()
    firsts = [known.of(lambda config: config, cell) for cell in cells]
    assert all(first.model_copy(update={"seed": cell.seed}) == cell for first, cell in zip(firsts, cells, strict=True))
    assert len({id(first) for first in firsts}) == 8
    assert known.of(lambda config: config, cells[1], key="other") is cells[1]
