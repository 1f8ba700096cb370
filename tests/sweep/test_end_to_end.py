"""Two cells of each family through the real command, real Ray and real MLflow; then the same command again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

ROOT = Path(__file__).parents[2]


def command(*words: str, storage: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SWEEP_STORAGE": str(storage), "COLUMNS": "120"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    environment.pop("RAY_ADDRESS", None)
    return subprocess.run(
        [sys.executable, str(ROOT / "sweep" / "run.py"), *words],
        env=environment,
        cwd=storage,
        capture_output=True,
        text=True,
        timeout=280,
    )


def small(name: str) -> dict[str, object]:
    """A built-in model whose teacher is trained for two steps."""
    from trainables.builtin import MODELS

    model = MODELS[name]
    return {**model, "finetune": {**model["finetune"], "max_steps": 2}}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    storage = tmp_path_factory.mktemp("storage")
    few = {"train": 32, "validation": 16, "test": 16}
    tasks = {
        "natural-logic": {
            "name": "natural-logic",
            "kind": "classification",
            "generated": {"generator": "natural_logic", **few},
            "text": ["premise", "hypothesis"],
            "max_length": 16,
        },
        "localisation": {
            "name": "localisation",
            "kind": "generation",
            "generated": {"generator": "localisation", **few},
            "max_length": 24,
            "max_new_tokens": 4,
        },
    }
    given = {
        "name": "tiny",
        "base": {"train": {"max_steps": 3, "batch_size": 8}},
        "axes": {"strategy": ["forward", "random"]},
        "grids": [
            {"base": {"model": small(f"tiny-{family}"), "task": tasks[task]}}
            for family, task in [
                ("bert", "natural-logic"),
                ("bart", "localisation"),
                ("t5", "localisation"),
                ("qwen3", "localisation"),
            ]
        ],
        "keep": "all",
    }
    config = storage / "tiny.yaml"
    config.write_text(json.dumps(given))
    return config, command(str(config), storage=storage)


@pytest.mark.timeout(600)
def test_all_cells_finish_and_stand_in_mlflow(swept: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    config, done = swept
    assert done.returncode == 0, done.stdout + done.stderr
    client = MlflowClient(tracking_uri=f"sqlite:///{config.parent}/mlflow.db")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    kinds = [run.data.tags["kind"] for run in runs]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"sweep": 1, "teacher": 4, "cell": 8}
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        if run.data.tags["kind"] != "cell":
            continue
        metrics = set(run.data.metrics)
        common = {"train/loss", "train/loss_ce", "train/loss_kl", "train/loss_hidden", "train/lr", "train/grad_norm"}
        assert common | {"train/examples_per_second", "eval/loss", "seconds/total", "seconds/eval"} <= metrics
        assert len(metrics) < 30
        main = "accuracy" if run.data.tags["model"] == "tiny-bert" else "bleu"
        assert {f"eval/{main}", f"best/{main}", f"test/{main}"} <= metrics
        stacks = {"tiny-bert": ["encoder"], "tiny-qwen3": ["decoder"]}.get(
            run.data.tags["model"], ["encoder", "decoder"]
        )
        assert {f"angle/{stack}/acute_share" for stack in stacks} <= metrics
        assert any(name.startswith("mapping.") for name in run.data.params)


@pytest.mark.timeout(600)
def test_artifacts_hold_every_pair(swept: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    config, _ = swept
    found = sorted(config.parent.glob("cells/*/attempts/1/angles.npz"))
    assert len(found) == 8
    for file in found:
        arrays = np.load(file)
        shapes = {arrays[name].shape for name in arrays.files if name.endswith("end/cos_mean")}
        assert shapes == {(4, 7, 7)}


@pytest.mark.timeout(600)
def test_again_is_free_and_a_wider_axis_adds_only_what_is_new(
    swept: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    config, _ = swept
    results = config.parent / "sweeps" / "tiny" / "results.csv"
    before = results.read_bytes()
    again = command(str(config), storage=config.parent)
    assert again.returncode == 0, again.stdout + again.stderr
    assert results.read_bytes() == before
    planned = command(str(config), "axes.strategy=[forward, random, none]", "--plan", storage=config.parent)
    assert "teachers: 4 done; cells: 8 done, 4 to do" in planned.stdout
