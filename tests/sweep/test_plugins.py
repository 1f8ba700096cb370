"""Plug-ins in a sweep: found from the config, part of the identity of what uses them, known to no other sweep."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweep.records.archive import Sweep
from sweep.records.storage import Storage
from sweep.run import main
from tests.sweep.commands import ROOT, cell_runs, command, runs
from tests.sweep.finished import ENVIRONMENT
from tests.sweep.own_data import BASE, lines, prepared
from trainables import plugins
from trainables.tasks.kinds import KINDS

EXAMPLE = ROOT / "docs" / "plugins" / "sweep.yaml"
STRATEGY = (EXAMPLE.parent / "strategy.py").read_text()


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    plugins.activate(())


def test_a_plugin_is_found_from_the_configs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").write_text(STRATEGY)
    axes = {"strategy": ["last", {"kind": "last", "leave_out": 2}]}
    checked = prepared(tmp_path, plugins=["own.py"], axes=axes)
    assert [each.name for each in plugins.active()] == ["own.py"]
    assert [cell.config.strategy.model_dump()["leave_out"] for cell in checked.cells] == [0, 2]
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "other.py").write_text(STRATEGY)
    monkeypatch.chdir(tmp_path / "here")
    assert len(prepared(tmp_path, "plugins=[other.py]", axes=axes).cells) == 2
    profiles = {"own": {"plugins": ["own.py"]}}
    assert len(prepared(tmp_path, "profile=own", axes=axes, profiles=profiles).cells) == 2


def test_a_plugins_parameters_are_axes_and_are_checked(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(STRATEGY)
    own: dict[str, Any] = {"plugins": ["own.py"], "base": {**BASE, "strategy": "last"}}
    assert len(prepared(tmp_path, **own, axes={"strategy.leave_out": [0, 1]}).cells) == 2
    assert lines(tmp_path, **own, axes={"strategy.leave_out": [1, 10, -1]}) == [
        "axes.strategy.leave_out[2]: got -1; expected at least 0",
        "axes.strategy.leave_out[1]: got 10; 3 of the teacher's 12 encoder blocks are needed",
    ]
    assert lines(tmp_path, "base.strategy.leave=1", **own) == [
        "base.strategy.leave: got an unknown key; did you mean leave_out?"
    ]


def giving(body: str) -> str:
    """The example with another body of `blocks`."""
    return STRATEGY[: STRATEGY.index("        end = ")] + f"        {body}\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {}[0]", "last fails on the encoder: KeyError: 0"),
        ("return None", "last fails on the encoder: TypeError: 'NoneType' object is not iterable"),
        ("return [1.0, 2.0, 3.0]", "last fails on the encoder: TypeError: 'float' object cannot be interpreted as an "
         "integer"),
        ("raise ValueError('none')", "last fails on the encoder: ValueError: none"),
    ],
)  # fmt: skip
def test_a_strategy_that_fails_is_told_before_anything_starts(tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "own.py").write_text(giving(body))
    own: dict[str, Any] = {"plugins": ["own.py"], "base": {**BASE, "strategy": "last"}}
    assert lines(tmp_path, **own) == [f"base.strategy.kind: {message}"]


def test_a_state_for_the_embeddings_that_is_none_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        giving("return [1, 2, 3]\n\n    def embedding_state(self, stack):\n        return 77")
    )
    strategy = {"kind": "last", "match_embeddings": True}
    assert lines(tmp_path, plugins=["own.py"], base={**BASE, "strategy": strategy}) == [
        "base.strategy.kind: last maps the embeddings of the encoder to 77; expected a teacher state, of 0 to 12"
    ]


def test_a_sweep_that_does_not_name_it_does_not_know_it(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(STRATEGY)
    assert prepared(tmp_path, "base.strategy=last", plugins=["own.py"]).cells
    (line,) = lines(tmp_path, "base.strategy=last")
    assert line.startswith("base.strategy: got 'last'; expected one of none, forward, ")
    (line,) = lines(tmp_path, "axes.strategy.leave_out=[0]")
    assert line.startswith("axes.strategy.leave_out: got an axis that is not a field")


def test_what_is_wrong_with_plugins_is_said_beside_the_rest(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import json\n\njson.loads('{')\n")
    assert lines(tmp_path, plugins=["none.py", "own.py"], keep="some") == [
        "keep: got 'some'; expected 'best', 'all' or 'none'",
        f"plugins[0]: got '{tmp_path}/none.py'; it cannot be read: No such file or directory",
    ]
    (line,) = lines(tmp_path, plugins=["own.py"])
    assert line.startswith("plugins[0]: got 'own.py'; line 3: JSONDecodeError: Expecting property name")


def test_the_text_is_in_the_fingerprint_of_the_cells_that_use_it(tmp_path: Path) -> None:
    axes = {"strategy": ["forward", "last"]}
    (tmp_path / "own.py").write_text(STRATEGY)
    forward, last = prepared(tmp_path, plugins=["own.py"], axes=axes).cells
    (tmp_path / "moved.py").write_text(STRATEGY)
    assert [forward, last] == prepared(tmp_path, plugins=["moved.py"], axes=axes).cells
    (tmp_path / "own.py").write_text(STRATEGY.replace("end + 1", "end + 1 + 0"))
    again, edited = prepared(tmp_path, plugins=["own.py"], axes=axes).cells
    assert again == forward == prepared(tmp_path).cells[0]
    assert edited.config.model_dump() == last.config.model_dump()
    assert edited.teacher_hash == last.teacher_hash
    assert edited.fingerprint != last.fingerprint


def test_a_metric_is_in_the_fingerprint_of_the_cells_whose_best_it_chooses(tmp_path: Path) -> None:
    source = (EXAMPLE.parent / "metric.py").read_text()
    choice = "base.task.metric=balanced_accuracy"
    (tmp_path / "own.py").write_text(source)
    assert prepared(tmp_path).cells == prepared(tmp_path, plugins=["own.py"]).cells
    (chosen,) = prepared(tmp_path, choice, plugins=["own.py"]).cells
    (tmp_path / "own.py").write_text(f"{source}\n")
    assert prepared(tmp_path).cells == prepared(tmp_path, plugins=["own.py"]).cells
    (edited,) = prepared(tmp_path, choice, plugins=["own.py"]).cells
    assert edited.fingerprint != chosen.fingerprint
    assert edited.teacher_hash != chosen.teacher_hash  # the best teacher is chosen by it too


def test_a_metric_may_choose_the_best_student(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text((EXAMPLE.parent / "metric.py").read_text())
    (cell,) = prepared(tmp_path, "base.task.metric=balanced_accuracy", plugins=["own.py"]).cells
    assert KINDS["classification"].main_metric(cell.config.task) == "balanced_accuracy"
    assert lines(tmp_path, "base.task.metric=balanced", plugins=["own.py"]) == [
        "base.task.metric: got 'balanced'; the metrics of classification are accuracy, f1, matthews_correlation, "
        "balanced_accuracy"
    ]


def test_a_metric_that_fails_is_told_before_anything_starts(tmp_path: Path) -> None:
    source = (EXAMPLE.parent / "metric.py").read_text()
    (tmp_path / "own.py").write_text(source.replace('"balanced_accuracy": float', '"balance": float'))
    assert lines(tmp_path, plugins=["own.py"]) == [
        "base.task.metric: the metrics of plug-ins fail on 2 rows with guesses: "
        "metric classification: balanced_accuracy: gives balance"
    ]


def test_a_finished_sweep_is_read_with_its_plugins(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(STRATEGY)
    cells = prepared(tmp_path, "base.strategy=last", plugins=["own.py"]).cells
    about = {"command": "command", "time": 0, "tracking_uri": "", "experiment_id": "", "runs": {}}
    sweep = Sweep(name="own", environment=ENVIRONMENT, cells=tuple(cells), plugins=plugins.active(), **about)
    storage = Storage(str(tmp_path / "runs"))
    sweep.store(storage)
    plugins.activate(())
    assert Sweep.load(storage, "own") == sweep


def test_the_examples_are_planned_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from sweep.run import main; "
        f"code = main([{str(EXAMPLE)!r}, 'profile=smoke', 'storage={tmp_path}/runs', '--plan']); "
        "print(code, sorted({'torch', 'transformers', 'ray', 'sklearn', 'sacrebleu'} & sys.modules.keys()))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "0 ['sklearn']"  # which the metric loads when it is tried


def test_the_examples_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Strategy, family, task and metrics of their own, in workers that are sent them."""
    words = [str(EXAMPLE), "profile=smoke", "resources.cpus=2"]
    done = command(*words, storage=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    cells = {run.data.tags["strategy"]: run.data for run in cell_runs(tmp_path, "plugins")}
    assert cells.keys() == {"forward", "last"}
    for data in cells.values():
        assert 0 <= data.metrics["eval/balanced_accuracy"] <= 1
        assert {"test/balanced_accuracy", "test/accuracy"} <= data.metrics.keys()
        assert data.params["model.family"] == "gpt2"
    assert cells["forward"].metrics["train/loss"] != cells["last"].metrics["train/loss"]
    (teacher,) = runs(tmp_path, "plugins", "teacher")
    assert "test/balanced_accuracy" in teacher.data.metrics
    results = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("cells/*/result.json"))]
    mappings = [result["mapping"]["decoder"] for result in results]
    blocks = sorted([pairs[str(block)] for block in (1, 2, 3)] for pairs in mappings)
    assert blocks == [[2, 4, 6], [4, 5, 6]]
    assert main([*words, f"storage={tmp_path}"]) == 0
    assert "nothing to run" in capsys.readouterr().out


def test_a_family_that_breaks_the_contract_is_refused_before_anything_starts(tmp_path: Path) -> None:
    folder = EXAMPLE.parent
    for name in ("strategy.py", "task.py", "metric.py", "losses.py", "sweep.yaml"):
        (tmp_path / name).write_text((folder / name).read_text())
    family = (folder / "family.py").read_text()
    (tmp_path / "family.py").write_text(family.replace('"transformer.h"', '"transformer.blocks"'))
    storage = tmp_path / "runs"
    storage.mkdir()
    done = command(str(tmp_path / "sweep.yaml"), "profile=smoke", storage=storage)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"plugins: family gpt2.stacks[decoder].path: got 'transformer.blocks'; "
        f"GPT2Model has no attribute `blocks` ({head})"
        for head in ("language_model", "sequence_classification", "token_classification")
    ]
    assert not list(storage.rglob("*.json"))
