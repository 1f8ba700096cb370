"""A sweep that has ended, made of numbers alone: its records, as trials would have left them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from sweep.grid.cells import Cell
from sweep.records.archive import Sweep
from sweep.records.environment import SweepEnvironment
from sweep.records.journal import JournalRow
from sweep.records.records import Record, Records
from sweep.records.storage import Storage
from tests.sweep.tracked import begin, finish_teacher, make_result
from trainables.angle_file import History
from trainables.config import TrialConfig
from trainables.size import Size

STRATEGIES = ("none", "forward", "reverse", "all_to_one", "random")
INITS = ("random", "teacher")
STEPS = (50, 100, 150, 200)
NUM_TEACHER, NUM_STUDENT = 6, 3
NOT_FINITE = "not finite at step 7: loss nan"
ENVIRONMENT = SweepEnvironment(
    git_commit="0123abcd",
    git_dirty=True,
    source_hash="feed" * 16,
    python="3.11.7",
    versions={"torch": "2.13.0", "ray": "2.60.0"},
    host="here",
    platform="Linux",
    cpu="a slow one",
    num_cpus=2,
    memory_gb=8.0,
    gpus=[],
)


@dataclass(frozen=True)
class Kind:
    """What a model of the sweep is like."""

    family: str
    task: str
    metric: str
    unit: float
    stacks: tuple[str, ...]
    chance: float


BERT = Kind("bert", "natural-logic", "accuracy", 1.0, ("encoder",), 0.4)
BART = Kind("bart", "localisation", "bleu", 100.0, ("encoder", "decoder"), 0.0)


def finished_sweep(
    storage: Storage,
    models: dict[str, Kind],
    seeds: Sequence[int] = (0,),
    failing: Sequence[str] = (),
    inits: Sequence[str] = INITS,
    rates: Sequence[float] = (5e-4,),
    depths: Sequence[int] = (),
) -> Sweep:
    """Writes records for every model × strategy × init × rate × depth × seed.

    Strategies in `failing` fail from a random start. Where depths are given, sizes were measured.
    """
    records, cells, draw = Records(storage), [], random.Random(0)
    for model, kind in models.items():
        teacher = f"teacher-{model.encode().hex()}"
        metrics = {f"best/{kind.metric}": 0.9 * kind.unit, f"test/{kind.metric}": 0.9 * kind.unit}
        size = size_of(NUM_TEACHER) if depths else None
        finish_teacher(records.teacher(teacher), metrics, main_metric=kind.metric, chance=kind.chance, size=size)
        for strategy, init, rate, depth, seed in product(STRATEGIES, inits, rates, depths or (None,), seeds):
            config = _config(model, kind, strategy, init, seed, rate, depth)
            cell = Cell(config, "data", teacher, f"{len(cells):04x}")
            cells.append(cell)
            record = records.cell(cell.fingerprint)
            if strategy in failing and init == "random":
                begin(record).fail(NOT_FINITE, "a message", by_itself=True)
            else:
                finish_cell(record, cell.config, kind, draw, size_of(depth) if depth else None)
    runs = {cell.fingerprint: f"run{cell.fingerprint}" for cell in cells}
    return Sweep(
        name="demo",
        command="python sweep/run.py demo.yaml",
        time=1_700_000_000_000,
        environment=ENVIRONMENT,
        cells=tuple(cells),
        tracking_uri="http://127.0.0.1:5000",
        experiment_id="1",
        runs=runs,
    )


def size_of(depth: int) -> Size:
    """That of a model with so many blocks of a million parameters, and a table of half a million."""
    rates = {1: 60 / depth, 32: 1200 / depth}
    return Size(depth * 1_000_000 + 500_000, depth * 1_000_000, depth * 4.0 + 2, rates)


def _config(model: str, kind: Kind, strategy: str, init: str, seed: int, rate: float, depth: int | None) -> TrialConfig:
    shape = {"student_blocks": depth} if depth else {}
    fields: dict[str, Any] = {
        "model": {"name": model, "family": kind.family, "teacher": "a-folder", **shape},
        "task": kind.task,
        "strategy": strategy,
        "init": init,
        "seed": seed,
        "train": {"learning_rate": rate},
        "dtype": "fp32",
    }
    return TrialConfig.model_validate(fields)


def finish_cell(record: Record, config: TrialConfig, kind: Kind, draw: random.Random, size: Size | None) -> None:
    """Writes the record of a cell that has ended."""
    gain = {"random": 0.0, "teacher": 0.15}[config.init] + 0.1 * (config.strategy.kind != "none")
    final = kind.unit * (0.5 + gain + draw.uniform(-0.02, 0.02))
    acute = {name: round(draw.uniform(0.85, 0.99), 3) for name in kind.stacks}
    angles = {f"angle/{stack}/{name}": value for stack in kind.stacks for name, value in _angle(acute[stack]).items()}
    start = {key: round(value / 2, 4) for key, value in angles.items()}
    curve = {step: final * (1 - 0.4 * 0.5 ** (step / 50)) for step in STEPS}
    rows: list[JournalRow] = [{"step": 0, "time": 1, "metrics": start}]
    rows += [
        {
            "step": step,
            "time": step,
            "metrics": {"train/loss": 2.0, "train/loss_kl": 1.0, f"eval/{kind.metric}": value, **angles},
        }
        for step, value in curve.items()
    ]
    attempt = begin(record)
    attempt.journal.write(rows)
    history = History()
    for step in (0, *STEPS):
        history.add(step, {stack: _measured(_cosines(draw, step)) for stack in kind.stacks})
    history.save(attempt.folder / "angles.npz")
    states = {} if config.strategy.kind == "none" else {str(state): 4.0 - state for state in range(NUM_STUDENT + 1)}
    per_state = {str(step): {"hidden": dict.fromkeys(kind.stacks, states)} for step in (0, *STEPS)}
    (attempt.folder / "per_state.json").write_text(json.dumps({"steps": per_state}))
    (attempt.folder / "student").mkdir()
    (attempt.folder / "student" / "config.json").write_text("{}")
    forward = {0: 0, 1: 2, 2: 4, 3: 6}
    result = make_result(
        attempt,
        metrics={f"best/{kind.metric}": final, f"test/{kind.metric}": final, "seconds/total": 6.5, **angles},
        main_metric=kind.metric,
        mapping={stack: forward if config.strategy.kind != "none" else {} for stack in kind.stacks},
        size=size,
    )
    attempt.commit(result)


def _angle(acute: float) -> dict[str, float]:
    return {"acute_share": acute, "cos_mean": round(acute - 0.3, 4)}


def _cosines(draw: random.Random, step: int) -> np.ndarray:
    """Mean cosines [L, M, M] for i < k, higher between near states; at student state 0 teacher state 0 is left out."""
    shape = (NUM_STUDENT + 1, NUM_TEACHER + 1, NUM_TEACHER + 1)
    _, i, k = np.indices(shape)
    cosines = (0.6 if step else 0.9) - 0.12 * (k - i) + draw.uniform(-0.05, 0.05)
    cosines[i >= k] = np.nan
    cosines[0, 0] = np.nan
    return cosines


def _measured(cosines_LMM: np.ndarray) -> dict[str, np.ndarray]:
    """One stack at one step: the cosines, and nothing counted."""
    counts = np.zeros((*cosines_LMM.shape, 20))
    return {
        "cos_mean": cosines_LMM,
        "acute_share": cosines_LMM,
        "count": counts[..., 0],
        "left_out": counts[:, 0, :, 0],
        "histogram": counts,
    }
