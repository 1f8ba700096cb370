"""A student in MLflow: its card, its model, and its version in the registry; once each, whatever breaks in between."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import mlflow.transformers
import pytest
from huggingface_hub import ModelCard
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from sweep.grid.cells import Cell
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report.usage import SavedStudent, usage_from_mlflow
from sweep.spec.sweep import load_partly
from sweep.students import card, published
from sweep.tracking.experiment import TrackingError
from sweep.tracking.runs import RunSpec
from sweep.tracking.tracking import Tracking
from tests.sweep.report.test_summary import row
from tests.sweep.tracked import begin, finish_teacher, make_result
from tests.trainables.test_plain import CASES, Made, made
from trainables.config import TrialConfig
from trainables.size import Size

RECORDS = Records(Storage("memory://published"))
RESULT = make_result(
    begin(RECORDS.cell("c0ffee")),
    metrics={"best/accuracy": 0.75, "test/accuracy": 0.625, "test/f1": 0.5, "train/loss": 1.0},
    steps=2,
    best_step=2,
    mapping={"encoder": {0: 0, 1: 2, 2: 4, 3: 6}},
    size=Size(2_500_000, 2_000_000, 10.012, {1: 30.25, 32: 1234.5}),
)
TEACHER = finish_teacher(
    RECORDS.teacher("7eac4e4"),
    {"best/accuracy": 0.9375, "test/accuracy": 0.875},
    chance=0.375,
    size=Size(6_500_000, 6_000_000, 26.0, {1: 10.0}),
)


@pytest.fixture(scope="module", params=["a pair", "questions", "a prefix", "adapters"])
def student_made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(CASES[request.param], tmp_path_factory.mktemp("made"))


@pytest.fixture
def cell(student_made: Made) -> Cell:
    return Cell(student_made.config, "da7a", "7eac4e4", "c0ffee")


@pytest.fixture
def student(student_made: Made, cell: Cell) -> SavedStudent:
    folder = student_made.folder / "student"
    (folder / card.FILE).write_text(card.card(cell, RESULT, TEACHER))
    shown = replace(row("forward", 0.6), fingerprint=cell.fingerprint, strategy="forward", init="random")
    return SavedStudent(shown, student_made.config, str(folder))


@pytest.fixture
def run_id(tracking: Tracking, cell: Cell, tmp_path: Path) -> str:
    """The run of the cell, ended."""
    record = Records(Storage(str(tmp_path))).cell(cell.fingerprint)
    begin(record).commit(RESULT)
    return tracking.fill(RunSpec.of_cell(cell, "a label", tracking.open_sweep({}, "", {}), {}), record)


def models(tracking: Tracking) -> list[Any]:
    return list(MlflowClient(tracking.uri).search_logged_models([tracking.experiment_id]))


def test_the_model_in_mlflow_gives_the_recorded_predictions(
    tracking: Tracking, student_made: Made, student: SavedStudent, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.repo_info", pytest.fail)
    model_id = published.log(tracking, run_id, student, Path(student.path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    case, rows = student_made.case, student_made.data.test
    parts: Any = mlflow.transformers.load_model(f"models:/{model_id}", return_type="components")
    assert not any(".lora_" in name for name in parts["model"].state_dict())
    copied = Path(student.path).parent / "from-mlflow"
    parts["model"].save_pretrained(copied)
    parts["tokenizer"].save_pretrained(copied)
    given = [case.answer(str(copied), each, student_made.config.task) for each in rows]
    assert given == [line["prediction"] for line in student_made.recorded]
    if case.family != "t5":
        loaded: Any = mlflow.transformers.load_model(f"models:/{model_id}")
        assert loaded.task == {"bert": "text-classification", "qwen3": "text-generation"}[case.family]
        assert loaded.tokenizer.model_max_length == student_made.config.task.max_length

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    lines = usage_from_mlflow(student_made.config, tracking.uri, model_id)
    assert len(lines) == 3
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.stdout, done.stderr

    (model,) = models(tracking)
    assert (model.status, model.source_run_id, model.tags["cell"]) == ("READY", run_id, "c0ffee")
    files = {Path(file.path).name for file in MlflowClient(tracking.uri).list_logged_model_artifacts(model_id)}
    assert "model_card.md" in files
    assert "LICENSE.txt" not in files
    outputs = MlflowClient(tracking.uri).get_run(run_id).outputs
    assert [output.model_id for output in outputs.model_outputs] == [model_id]
    # Nothing is written again, and nothing is loaded for it.
    monkeypatch.setattr(published, "_write", pytest.fail)
    assert published.log(tracking, run_id, student, Path(student.path)) == model_id


@pytest.fixture
def publisher() -> Iterator[published.Publisher]:
    publisher = published.Publisher()
    yield publisher
    publisher.close()


@pytest.mark.parametrize("student_made", ["a pair"], indirect=True)
def test_a_process_of_its_own_logs_the_same(
    publisher: published.Publisher, tracking: Tracking, student: SavedStudent, run_id: str
) -> None:
    model_id = publisher.log(tracking, run_id, student, Path(student.path))
    (model,) = models(tracking)
    assert (model.model_id, model.status, model.source_run_id) == (model_id, "READY", run_id)
    assert published.log(tracking, run_id, student, Path(student.path)) == model_id
    with pytest.raises(TrackingError, match="no experiment"):
        publisher.log(Tracking(tracking.uri, "another"), run_id, student, Path(student.path))
    publisher.close()
    with pytest.raises(TrackingError, match="the process that logs the best student was ended"):
        publisher.log(tracking, run_id, student, Path(student.path))


@pytest.mark.parametrize("student_made", ["a pair"], indirect=True)
def test_a_version_for_each_student_and_name(tracking: Tracking, student: SavedStudent, run_id: str) -> None:
    name, client = f"ours-{tracking.experiment}", MlflowClient(tracking.uri)
    published.check_registry(tracking)
    model_id = published.log(tracking, run_id, student, Path(student.path))
    assert [published.register(tracking, name, model_id, run_id, student) for _ in range(2)] == ["1", "1"]
    (version,) = client.search_model_versions(f"name = '{name}'")
    assert version.source == f"models:/{model_id}"
    assert version.run_id == run_id
    wanted = {"cell": "c0ffee", "strategy": "forward", "init": "random", "sweep": tracking.experiment}
    assert wanted.items() <= version.tags.items()
    other = replace(student, row=replace(student.row, fingerprint="0ther"))
    assert published.register(tracking, name, model_id, run_id, other) == "2"


@pytest.mark.parametrize("student_made", ["a pair"], indirect=True)
def test_what_broke_off_is_done_at_the_next_try(
    tracking: Tracking, student: SavedStudent, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise MlflowException("413 Request Entity Too Large\nmore")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_model_artifacts", refuse)
        with pytest.raises(TrackingError, match=r"^413 Request Entity Too Large$"):
            published.log(tracking, run_id, student, Path(student.path))
    (broken,) = models(tracking)
    assert broken.status == "PENDING"
    model_id = published.log(tracking, run_id, student, Path(student.path))
    assert [(model.model_id, model.status) for model in models(tracking)] == [(model_id, "READY")]
    assert model_id != broken.model_id


def test_what_is_not_logged_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert published.obstacle(None, registering=True) == "its files are gone"
    (tmp_path / "model.safetensors").write_bytes(b"12345678")
    assert published.obstacle(tmp_path, registering=False) is None
    monkeypatch.setattr(published, "MAX_BYTES", 7)
    assert published.obstacle(tmp_path, registering=False) == "it has 0.0 GB; register: NAME logs and registers it"
    assert published.obstacle(tmp_path, registering=True) is None


@pytest.mark.parametrize("student_made", ["a pair"], indirect=True)
def test_the_card(student: SavedStudent, student_made: Made, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    text = (Path(student.path) / card.FILE).read_text()
    found = ModelCard(text)
    assert found.data.get("license") is None
    assert found.data.pipeline_tag == "text-classification"
    results = {(each.dataset_split, each.metric_type): each.metric_value for each in found.data.eval_results or []}
    assert results == {("validation", "accuracy"): 0.75, ("test", "accuracy"): 0.625, ("test", "f1"): 0.5}
    for line in (
        "# tiny-bert · natural-logic · forward · random · s0",
        "It came 50% of the way from chance to its teacher.",
        "| validation, accuracy | 0.7500 | 0.9375 |",
        "| test, accuracy | 0.6250 | 0.8750 |",
        "| test, f1 | 0.5000 | - |",
        "| parameters | 2,500,000 | 6,500,000 |",
        "| parameters without embeddings | 2,000,000 | 6,000,000 |",
        "| megabytes | 10 | 26 |",
        "| rows per second, in batches of 1 | 30.2 | 10 |",
        "| rows per second, in batches of 32 | 1,230 | - |",
        "The speeds were measured on a slow one, in fp32.",
        "| teacher | tiny-bert, trained from scratch, `7eac4e4` |",
        "| mapping, student state : teacher state | encoder 0:0 1:2 2:4 3:6 |",
        "| data | natural-logic: generated by natural_logic, seed 0 |",
        "| seed | 0 |",
        "| fingerprint | `c0ffee` |",
        "strategy:",
    ):
        assert line in text.splitlines(), line
    # Its three lines run where it lies.
    _, _, code = text.partition("```python\n")
    monkeypatch.chdir(student.path)
    exec(code.partition("```")[0], {})
    shown = capsys.readouterr().out
    assert any(name in shown for name in student_made.data.classes)


def test_the_card_of_a_student_that_was_not_measured_has_no_sizes(cell: Cell) -> None:
    text = card.card(cell, RESULT.model_copy(update={"size": None}), TEACHER)
    assert "## Size and speed" not in text
    assert "after step 2 of 2.\n\n## How it was trained\n" in text


def test_a_card_names_hub_and_licence_and_no_folder_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "my-teacher").mkdir()
    (tmp_path / "my-teacher" / card.FILE).write_text("---\nlicense: mit\n---\n# Mine\n")
    hub = {"path": "nyu-mll/glue", "name": "sst2", "revision": "abc123"}
    task = {"name": "sst2", "kind": "classification", "hub": hub, "text": ["sentence"]}
    fields = {"model": {"name": "m", "family": "bert", "teacher": str(tmp_path / "my-teacher")}, "task": task}
    text = card.card(Cell(_trial(fields), "da7a", "7eac4e4", "c0ffee"), RESULT, TEACHER)
    assert ModelCard(text).data.get("license") == "mit"
    assert ModelCard(text).data.get("datasets") == ["nyu-mll/glue"]
    assert "| data | sst2: nyu-mll/glue, sst2, revision abc123 |" in text
    assert "| teacher | my-teacher, `7eac4e4` |" in text
    assert str(tmp_path) not in text
    fields["model"]["teacher"] = "google/some-bert"
    text = card.card(Cell(_trial(fields), "da7a", "7eac4e4", "c0ffee"), RESULT, TEACHER)
    assert ModelCard(text).data.get("base_model") == "google/some-bert"
    assert ModelCard(text).data.get("license") is None


def _trial(fields: dict[str, Any]) -> TrialConfig:
    return TrialConfig.model_validate({**fields, "dtype": "fp32"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"register": "a/b"}, r"register: got 'a/b'; expected a text that matches ^\w[\w.-]*$"),
        ({"register": "a:b"}, r"register: got 'a:b'; expected a text that matches ^\w[\w.-]*$"),
        ({"register": ".."}, r"register: got '..'; expected a text that matches ^\w[\w.-]*$"),
        ({"register": ""}, r"register: got ''; expected a text that matches ^\w[\w.-]*$"),
        ({"register": "a", "keep": "none"}, "register: got 'a' beside keep: none; set keep to best or all"),
    ],
)
def test_names_that_mlflow_refuses(given: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(json.dumps({"name": "n", **given}))
    _, found = load_partly(tmp_path / "s.yaml")
    assert [str(problem) for problem in found] == [message]
