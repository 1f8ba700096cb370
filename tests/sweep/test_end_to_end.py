"""Two cells of each family through the real command, real Ray and real MLflow; then the same command again."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from mlflow import MlflowClient

from tests.sweep.commands import Swept, cell_runs, command, runs, start
from tests.sweep.tiny import TASKS, small


def test_all_cells_finish_and_stand_in_mlflow(swept: Swept) -> None:
    config, done = swept
    assert done.returncode == 0, done.stdout + done.stderr
    client = MlflowClient(tracking_uri=f"sqlite:///{config.parent}/mlflow.db")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    kinds = [run.data.tags["kind"] for run in found]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"sweep": 1, "teacher": 4, "cell": 8}
    assert {run.info.status for run in found} == {"FINISHED"}
    (whole,) = [run for run in found if run.data.tags["kind"] == "sweep"]
    assert whole.data.tags["verdict_strategy"] == "undecided"  # of one seed
    for run in found:
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


def test_artifacts_hold_every_pair(swept: Swept) -> None:
    config, _ = swept
    found = sorted(config.parent.glob("cells/*/attempts/1/angles.npz"))
    assert len(found) == 8
    for file in found:
        arrays = np.load(file)
        shapes = {arrays[name].shape[1:] for name in arrays.files if name.endswith("/cos_mean") and "axes" not in name}
        assert shapes == {(4, 7, 7)}
        steps = {tuple(arrays[name]) for name in arrays.files if name.endswith("/step")}
        assert [(each[0], len(each) > 1) for each in steps] == [(0, True)]


def test_every_attempt_and_the_command_have_their_log(swept: Swept) -> None:
    """Of workers that made several: one process is named in more than one log, and each log tells of one cohort."""
    storage, processes = swept[0].parent, list[str]()
    told = min((storage / "sweeps" / "tiny" / "logs").iterdir()).read_text()  # another test may have run it again
    for file in [*storage.glob("cells/*/attempts/1/log.txt"), *storage.glob("teachers/*/attempts/1/log.txt")]:
        text, place = file.read_text(), file.parents[2].relative_to(storage).as_posix()
        begun = re.findall(r"attempt (\d) of .* \((.*)\) begins$", text, re.MULTILINE)
        assert ("1", place) in begun
        assert {each.partition("/")[0] for _, each in begun} == {place.partition("/")[0]}
        processes += re.findall(r"as process (\d+) for the sweep tiny$", text, re.MULTILINE)[:1]
        assert ": the data has 32 rows of train, 16 rows of validation, 16 rows of test\n" in text
        assert re.search(r" on cpu in fp32 with 1 threads\n", text)
        steps = 40 if place.startswith("teachers") else 3
        assert re.search(rf" at step {steps}: eval/loss \d", text)
        assert f": the result is stored in {place}\n" in text
        assert text.endswith("sweep.jobs.attempts: the attempt ends\n")
        assert re.search(rf": {place} is tiny-.* · ", told)
        assert re.search(rf" begins \({file.parents[2].name}\)\n", told)
    assert len(processes) == 12
    assert len(set(processes)) < 12
    assert told.count(" is done\n") == 12
    assert re.search(r" the report is written: .*report.html\n$", told)


def test_again_is_free_and_a_wider_axis_adds_only_what_is_new(swept: Swept) -> None:
    config, _ = swept
    results = config.parent / "sweeps" / "tiny" / "results.csv"
    before = results.read_bytes()
    known = json.loads((results.parent / "sweep.json").read_text())
    assert known["runs"].keys() == {cell["fingerprint"] for cell in known["cells"]} | {
        cell["teacher"] for cell in known["cells"]
    }
    again = command(str(config), storage=config.parent)
    assert again.returncode == 0, again.stdout + again.stderr
    assert results.read_bytes() == before
    client = MlflowClient(tracking_uri=f"sqlite:///{config.parent}/mlflow.db")
    (model,) = client.search_logged_models([known["experiment_id"]])  # once, for the best student
    assert model.status == "READY"
    assert f"The best student in MLflow: models:/{model.model_id}" in again.stdout
    files = {Path(file.path).name for file in client.list_artifacts(model.source_run_id)}
    assert files == {"angles.npz", "per_state.json", "predictions.jsonl"}
    for student in config.parent.glob("cells/*/attempts/1/student"):
        assert f"| fingerprint | `{student.parents[2].name}` |" in (student / "README.md").read_text()
    planned = command(str(config), "axes.strategy=[forward, random, none]", "--plan", storage=config.parent)
    assert "teachers: 4 done; cells: 8 done, 4 to do" in planned.stdout


def sound(storage: Path) -> Path:
    """The record of the cell that can be learned; before it is declared, a folder that is not there."""
    for file in storage.glob("cells/*/cell.json"):
        if json.loads(file.read_text())["config"]["train"]["learning_rate"] == 1e-3:
            return file.parent
    return storage / "cells" / "none"


def test_an_interrupt_ends_with_130_and_the_same_command_goes_on(tmp_path: Path) -> None:
    config = tmp_path / "one.yaml"
    given = {
        "name": "one",
        "base": {
            "model": small("tiny-bert"),
            "task": TASKS["natural-logic"],
            "train": {"max_steps": 300, "batch_size": 8},
        },
        # Too large a rate: the second cell fails by itself, the first finishes.
        "axes": {"train.learning_rate": [1e-3, 1e30]},
        "resources": {"cpus": 2},
    }
    config.write_text(json.dumps(given))
    started = start(str(config), storage=tmp_path)
    try:
        deadline = time.monotonic() + 600
        # Not before: a database that the sweep is still making is not to be opened.
        while not list(sound(tmp_path).glob("attempts/1/journal/*")) or not cell_runs(tmp_path, "one"):
            assert started.poll() is None, started.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        started.send_signal(signal.SIGINT)
        shown, errors = started.communicate(timeout=600)
    finally:
        started.kill()
    assert started.returncode == 130, shown + errors
    assert "run the same command again to continue" in shown
    assert not list(tmp_path.glob("cells/*/result.json"))
    assert [run.info.status for run in runs(tmp_path, "one", "sweep")] == ["KILLED"]
    assert {run.info.status for run in cell_runs(tmp_path, "one")} <= {"FAILED", "FINISHED"}
    again = command(str(config), storage=tmp_path)
    assert again.returncode == 1, again.stdout + again.stderr
    assert "not finite at step 2" in again.stdout
    (result,) = tmp_path.glob("cells/*/result.json")
    assert result.parent == sound(tmp_path)
    assert len(list(result.parent.glob("attempts/*"))) == 2
    found = cell_runs(tmp_path, "one")
    # Of the attempts that were cut off, those have a run that were tracked before that.
    reasons = sorted(reason for run in found if (reason := run.data.tags.get("reason", "")) != "cut off")
    assert [reason.partition(": loss nan")[0] for reason in reasons] == ["", "not finite at step 2"]
    assert all(run.info.status in ("FINISHED", "FAILED") for run in found)


def test_a_plan_and_an_error_import_no_engine() -> None:
    code = (
        "import sys; from sweep.run import main; codes = main(['--plan']), main(['base.x=1']); "
        "print(codes, [name for name in ('torch', 'transformers', 'ray', 'mlflow', 'optuna') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.stdout.splitlines()[-1] == "(0, 2) []", done.stdout + done.stderr
