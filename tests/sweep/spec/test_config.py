"""Reading a config: precedence, paths, YAML, profiles, defaults of storage and tracking."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from sweep.grid.cells import draft
from sweep.spec.command import Command, parse
from sweep.spec.fields import models_in
from sweep.spec.messages import dotted, quote
from sweep.spec.overlay import assign, merge
from sweep.spec.reading import read_yaml
from sweep.spec.schema import schema
from sweep.spec.sources import EXAMPLE
from sweep.spec.sweep import SweepConfig, load
from trainables.builtin import TASKS
from trainables.config import TrialConfig
from trainables.errors import InputError

FILE = """
name: first
base:
  seed: 1
  train: {epochs: 2, batch_size: 4}
axes:
  init: [random, teacher]
profiles:
  quick: {base: {train: {epochs: 0.5}, seed: 2}, axes: {init: [random]}, keep: none}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(FILE)
    return path


def test_defaults_under_the_file(file: Path) -> None:
    config = load(file)
    assert (config.name, config.keep, config.resources.cpus, config.failures.max_failures) == ("first", "best", 1, 2)
    assert config.base == {"seed": 1, "train": {"epochs": 2, "batch_size": 4}}


def test_the_verdict_changes_no_cell(file: Path) -> None:
    config = load(file, ["verdict={margin: 0.01, alpha: 0.1}"])
    assert (config.verdict.margin, config.verdict.alpha) == (0.01, 0.1)
    assert draft(config) == draft(load(file))


def test_profile_over_the_file_and_overrides_over_both_wherever_they_stand(file: Path) -> None:
    config = load(file, ["base.seed=3", "profile=quick", "axes.train.learning_rate=[1e-4, 2e-4]", "resources.gpus=0.5"])
    assert config.base == {"seed": 3, "train": {"epochs": 0.5, "batch_size": 4}}
    assert config.axes == {"init": ["random"], "train.learning_rate": [1e-4, 2e-4]}
    assert config.keep == "none"
    assert config.resources.gpus == 0.5


def test_a_profile_and_an_override_change_one_part_sweep_by_its_name(file: Path) -> None:
    grids: dict[str, Any] = {"one": {"base": {"task": "sst2", "seed": 1}}, "two": {"axes": {"seed": [1]}}}
    local = {"grids": {"one": {"base": {"task": {"hub": {"path": "org/copy"}}}}}}
    file.write_text(yaml.safe_dump({"name": "x", "grids": grids, "profiles": {"local": local}}))
    parts = load(file, ["profile=local", "grids.two.base.seed=4"]).grids
    assert isinstance(parts, dict)
    assert parts["one"].base == {"seed": 1, "task": {**TASKS["sst2"], "hub": {"path": "org/copy", "name": "sst2"}}}
    assert parts["two"].model_dump() == {"axes": {"seed": [1]}, "base": {"seed": 4}}


def test_override_replaces_a_mapping_and_profile_merges_it(file: Path) -> None:
    assert load(file, ["base.train={batch_size: 8}"]).base["train"] == {"batch_size": 8}
    assert load(file, ["profile=quick"]).base["train"] == {"epochs": 0.5, "batch_size": 4}


def test_data_paths_of_the_file_are_taken_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    (home / "teacher").mkdir(parents=True)
    here.mkdir()
    monkeypatch.chdir(here)
    path = home / "sweep.yaml"
    fields: dict[str, Any] = {
        "name": "x",
        "base": {"task": {"files": {"train": "train.jsonl", "test": "/data/test.jsonl"}}},
        "axes": {"model": [{"teacher": "teacher"}, {"teacher": "org/name"}, {"teacher": "./none"}]},
        "grids": [
            {"axes": {"model.teacher": ["teacher", "teachers"]}},
            {"axes": {"task": [{"hub": {"path": "teacher"}}, {"hub": {"path": "org/data"}}]}},
            {"axes": {"task.hub.path": ["teacher", "org/data", "./none"]}},
            {"axes": {"task.files": [{"train": "train.jsonl"}], "task.hub": [{"path": "./teacher"}]}},
        ],
        "storage": "runs",
    }
    path.write_text(yaml.safe_dump(fields))
    config = load(path, ["base.task.files.validation=dev.jsonl", "base.model.teacher=../home/teacher"])
    files = {"train": f"{home}/train.jsonl", "test": "/data/test.jsonl", "validation": f"{here}/dev.jsonl"}
    assert config.base["task"]["files"] == files
    assert Path(config.base["model"]["teacher"]).samefile(home / "teacher")
    assert [model["teacher"] for model in config.axes["model"]] == [f"{home}/teacher", "org/name", f"{home}/none"]
    assert isinstance(config.grids, list)
    assert config.grids[0].axes == {"model.teacher": [f"{home}/teacher", "teachers"]}
    assert [task["hub"]["path"] for task in config.grids[1].axes["task"]] == [f"{home}/teacher", "org/data"]
    assert config.grids[2].axes == {"task.hub.path": [f"{home}/teacher", "org/data", f"{home}/none"]}
    assert config.grids[3].axes["task.files"] == [{"train": f"{home}/train.jsonl"}]
    assert config.grids[3].axes["task.hub"] == [{"path": f"{home}/teacher"}]
    assert config.storage_url == f"{here}/runs"


def test_storage_and_tracking_come_from_the_config_then_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SWEEP_STORAGE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    config = SweepConfig(name="x")
    assert config.storage_url == f"{tmp_path}/runs"
    assert config.tracking_url == f"sqlite:///{tmp_path}/runs/mlflow.db"
    monkeypatch.setenv("SWEEP_STORAGE", "s3://bucket/x")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert (config.storage_url, config.tracking_url) == ("s3://bucket/x", "http://mlflow:5000")
    given = SweepConfig(name="x", storage="/y", tracking_uri="sqlite:////z.db")
    assert (given.storage_url, given.tracking_url) == ("/y", "sqlite:////z.db")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("2.5E3", 2500.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("5", 5),
        ("-3", -3),
        ("010", "010"),
        ("no", "no"),
        ("none", "none"),
        ("null", None),
        ("", None),
        ("true", True),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"),
        ("[no, 'true', 1.0]", ["no", "true", 1.0]),
        ("{a: &x {b: 1, c: 2}, d: {<<: *x, c: 3}}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    read = read_yaml(text, "text")
    assert (read, type(read)) == (value, type(value))


def test_names_are_opened_where_a_key_is_set_inside() -> None:
    low = {"task": "natural-logic", "strategy": "all_to_one"}
    set_inside = assign(assign(low, ["task", "max_length"], 8), ["strategy", "teacher_state"], 2)
    assert (set_inside["task"]["kind"], set_inside["task"]["max_length"]) == ("classification", 8)
    assert set_inside["strategy"] == {"kind": "all_to_one", "teacher_state": 2}
    assert low == {"task": "natural-logic", "strategy": "all_to_one"}
    assert merge(set_inside, {"strategy": {"kind": "forward"}})["strategy"] == {"kind": "forward"}
    assert merge(low, {"task": {"max_length": 8}})["task"] == set_inside["task"]


def test_a_key_inside_of_what_holds_none() -> None:
    with pytest.raises(KeyError, match=r"train\.epochs"):
        assign({"train": {"epochs": 3}}, ["train", "epochs", "x"], 1)


def test_shown_values_and_paths() -> None:
    assert dotted(("axes", "init", 1, "x")) == "axes.init[1].x"
    assert [quote(value) for value in (None, True, 3, "a", "x" * 99)] == [
        "null",
        "true",
        "3",
        "'a'",
        f"'{'x' * 76}...",
    ]


def test_command_line() -> None:
    words = ["base.seed=3", "--plan", "a.yaml", "--address", "ray://x:1", "axes.init=[random]", "--retry-failed"]
    assert parse([*words, "--verbose"]) == Command(
        config=Path("a.yaml"),
        overrides=("base.seed=3", "axes.init=[random]"),
        plan=True,
        address="ray://x:1",
        retry_failed=True,
        remake_students=False,
        watch=False,
        forget=None,
        is_sure=False,
        sync=False,
        wait=False,
        join=False,
        example=False,
        schema=False,
        verbose=True,
    )
    assert not any(vars(parse([])).values())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--plna"], "--plna: got an unknown flag; did you mean --plan?"),
        (["a.yaml", "b.yaml"], "config: got 'a.yaml', 'b.yaml'; give one config, and overrides as key.path=value"),
        (["--address"], "--address: expected one argument"),
    ],
)
def test_a_wrong_call(words: list[str], line: str) -> None:
    with pytest.raises(InputError) as error:
        parse(words)
    assert str(error.value) == line


def fields_of(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield name
        for inner in models_in(info.annotation):
            yield from fields_of(inner)


def test_every_key_of_a_config_is_read_somewhere() -> None:
    root = Path(__file__).parents[3]
    trees = [
        ast.parse(file.read_text()) for folder in ("sweep", "trainables") for file in (root / folder).rglob("*.py")
    ]
    read = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    read.add("profiles")  # laid over the rest before the config is made
    assert {*fields_of(SweepConfig), *fields_of(TrialConfig)} - read == set()


def test_schema_takes_the_example_and_refuses_unknown_keys() -> None:
    example = read_yaml(EXAMPLE.read_text(), "example")
    validator = jsonschema.Draft202012Validator(schema())
    jsonschema.Draft202012Validator.check_schema(validator.schema)
    assert list(validator.iter_errors(example)) == []
    example["base"]["train"]["epoch"] = 3
    example["axes"]["init"] = ["both"]
    example["resource"] = {}
    wrong = {"/".join(map(str, error.absolute_path)) for error in validator.iter_errors(example)}
    assert wrong == {"base/train", "axes/init/0", ""}


def test_reading_imports_no_engine(file: Path) -> None:
    code = f"""
import sys
import sweep.plan.checks, sweep.spec.command, sweep.spec.schema
from pathlib import Path
from sweep.spec.sweep import load
from sweep.grid.cells import draft
draft(load(Path({str(file)!r})))
sweep.spec.schema.schema()
print(sorted({{"torch", "transformers", "ray", "mlflow", "scipy", "statsmodels"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_people_may_reach_the_tracking_server_by_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    config = SweepConfig(name="tiny", tracking_uri="http://mlflow:5000")
    monkeypatch.delenv("SWEEP_TRACKING_ADDRESS", raising=False)
    assert config.tracking_address == "http://mlflow:5000"
    monkeypatch.setenv("SWEEP_TRACKING_ADDRESS", "http://127.0.0.1:5000")
    assert (config.tracking_address, config.tracking_url) == ("http://127.0.0.1:5000", "http://mlflow:5000")
