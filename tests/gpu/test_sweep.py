"""The command on a real GPU, with real Ray and a real MLflow: one trial a card, and two that share it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow.entities import Run

from tests.sweep.commands import command, runs
from tests.sweep.tiny import base

CELLS = ('axes.strategy=["none","forward"]', 'axes.init=["teacher","random"]')


def own(run: Run) -> dict[str, float]:
    """What a cell measured, without times and rates."""
    return {key: value for key, value in run.data.metrics.items() if "second" not in key and "/" in key}


@pytest.mark.timeout(600)  # two sweeps
def test_cells_that_share_a_gpu_have_the_numbers_of_cells_alone(
    tmp_path_factory: pytest.TempPathFactory, dry: bool
) -> None:
    """Sweeps of the demo's BERT on whole and on half GPUs; each makes a teacher of its own."""
    shares = {"whole": 0 if dry else 1, "half": 0 if dry else 0.5}
    folders = {name: tmp_path_factory.mktemp(name) for name in shares}
    for name, gpus in shares.items():
        folder = folders[name]
        done = command(*swept(folder, dry), f"resources.gpus={gpus}", *CELLS, storage=folder)
        print(f"\n{name}: {done.stdout}{done.stderr}")
        assert done.returncode == 0
    cells = {
        name: {(run.data.tags["strategy"], run.data.tags["init"]): run for run in runs(folder, "demo", "cell")}
        for name, folder in folders.items()
    }
    assert len(cells["whole"]) == len(cells["half"]) == 4
    for key, run in cells["whole"].items():
        assert run.info.status == cells["half"][key].info.status == "FINISHED"
        assert own(run) == own(cells["half"][key]), key
        assert "eval/accuracy" in own(run)
    check_gpu_metrics(folders["whole"], dry)


def swept(folder: Path, dry: bool) -> list[str]:
    """What the command is told to sweep; dry, a smaller BERT of the same name, whose cells take three steps."""
    if not dry:
        return ["profile=taste"]
    config = folder / "tiny.yaml"
    config.write_text(json.dumps({"name": "demo", "base": base("bert")}))
    return [str(config)]


def check_gpu_metrics(storage: Path, dry: bool) -> None:
    """The sweep's own run has the GPU's utilisation and memory, sampled while it ran."""
    (sweep,) = runs(storage, "demo", "sweep")
    seen = {key: value for key, value in sweep.data.metrics.items() if key.startswith("system/gpu_")}
    print(f"\nsystem metrics: {sorted(key for key in sweep.data.metrics if key.startswith('system/'))}")
    if not dry:
        assert seen["system/gpu_0_memory_usage_megabytes"] > 0
        assert "system/gpu_0_utilization_percentage" in seen
