"""A regression and a tagging of words through the real command, real Ray and real MLflow, to the report."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sweep.plan import checks
from tests.sweep.commands import cell_runs, command, runs
from tests.sweep.own_data import lines, write_rows
from tests.sweep.tiny import PIECES, small
from trainables.builtin import MODELS

SPLITS = ("train", "validation", "test")
TREE = [("Anna", "B-PER"), ("Bo", "B-PER"), ("Rome", "B-LOC"), ("walks", "O"), ("to", "O"), ("sees", "O")]
LIKE = [
    {"one": f"{word} walks", "other": f"{word} sees {tag}", "label": number / 2}
    for number, (word, tag) in enumerate(TREE)
]
TAGGED = [
    {"words": [one, "walks", "to", other], "tags": [tag, "O", "O", far]} for one, tag in TREE for other, far in TREE[:3]
]
METRICS = {"like": ("pearson", "spearman"), "tags": ("f1", "accuracy")}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """A task of each kind on files in the folder."""
    for split in SPLITS:
        write_rows(folder / f"like-{split}.jsonl", [{**row, "other": f"{row['other']} {split}"} for row in LIKE * 3])
        tagged = [{"words": [*row["words"], split], "tags": [*row["tags"], "O"]} for row in TAGGED]
        write_rows(folder / f"tags-{split}.jsonl", tagged)
    files = {name: {split: str(folder / f"{name}-{split}.jsonl") for split in SPLITS} for name in METRICS}
    like = {"name": "like", "kind": "regression", "files": files["like"], "text": ["one", "other"], "max_length": 24}
    words = {"text": ["words"], "label": "tags", "max_length": 24}
    return [like, {"name": "tags", "kind": "token_classification", "files": files["tags"], **words}]


def sweep(folder: Path) -> Path:
    like, tags = tasks(folder)
    roberta = {
        **small("tiny-bert"),
        "name": "tiny-roberta",
        "family": "roberta",
        "teacher": {**MODELS["tiny-bert"]["teacher"], "tokenizer": PIECES},
    }
    made = {
        "name": "kinds",
        "base": {"train": {"max_steps": 3, "batch_size": 8, "evaluate_every": 1000}, "dtype": "fp32"},
        "axes": {"strategy": ["forward", "none"]},
        "grids": [{"base": {"model": small("tiny-bert"), "task": like}}, {"base": {"model": roberta, "task": tags}}],
        "keep": "all",
        "resources": {"cpus": 2},
    }
    path = folder / "kinds.yaml"
    path.write_text(json.dumps(made))
    return path


def test_cells_of_both_kinds_finish_and_stand_in_the_report(tmp_path: Path) -> None:
    config = sweep(tmp_path)
    done = command(str(config), storage=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found, teachers = cell_runs(tmp_path, "kinds"), runs(tmp_path, "kinds", "teacher")
    assert (len(found), len(teachers)) == (4, 2)
    for run in [*found, *teachers]:
        main, other = METRICS[run.data.tags["task"]]
        assert {f"eval/{main}", f"best/{main}", f"test/{main}", f"test/{other}"} <= run.data.metrics.keys()
        assert run.info.status == "FINISHED"
    folder = tmp_path / "sweeps" / "kinds"
    page = (folder / "report.html").read_text()
    with (folder / "results.csv").open() as file:
        assert {row["main_metric"] for row in csv.DictReader(file)} == {"pearson", "f1"}
    assert all(f"test {metric}" in page for metric, _ in METRICS.values())
    for student in tmp_path.glob("cells/*/attempts/1/student"):
        card = (student / "README.md").read_text()
        assert ('rate = pipeline("text-classification"' in card) != ('label = pipeline("token-classification"' in card)
        answers = [json.loads(line)["prediction"] for line in (student.parent / "predictions.jsonl").open()]
        assert len(answers) in (len(LIKE * 3), len(TAGGED))
        assert all(isinstance(answer, float) or len(answer) == 5 for answer in answers)
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("kinds")
    assert experiment is not None
    (model,) = client.search_logged_models([experiment.experiment_id])
    assert model.status == "READY"
    again = command(str(config), "--plan", storage=tmp_path)
    assert "teachers: 2 done; cells: 4 done" in again.stdout


@pytest.mark.parametrize("kind", ["regression", "token_classification"])
def test_the_public_code_has_neither(tmp_path: Path, kind: str) -> None:
    (task,) = [task for task in tasks(tmp_path) if task["kind"] == kind]
    base = {"model": small("tiny-bert"), "task": task, "losses": {"semantics": "official"}}
    assert lines(tmp_path, base=base) == [
        f"base.losses.semantics: got official for a {kind} task; the public code's bert only gives a class to a text "
        "or a pair: give clean"
    ]


def test_a_plan_says_what_they_cost(tmp_path: Path) -> None:
    sized = checks.prepare(sweep(tmp_path), [f"storage={tmp_path}/runs"]).sizes().values()
    heads = {cell.config.task.name: cell.head for cell in sized}
    assert (heads["like"].num_outputs, heads["tags"].labels) == (1, ("B-LOC", "B-PER", "O"))
