"""What is read to know that a sweep can start, and what is asked of the places it writes to."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sweep.plan.checks import places, prepare
from sweep.plan.states import Plan, counts
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.spec.sources import EXAMPLE
from tests.sweep.own_data import (
    BASE,
    SHAPE,
    lines,
    prepared,
    refused,
    rows_of,
    write_all,
    write_rows,
    write_teacher,
    write_weights,
)
from trainables.config import TaskConfig, TokenizerConfig
from trainables.errors import InputError


@pytest.fixture(autouse=True)
def _no_places_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_data_and_teacher_are_shared_and_cells_are_told_apart(tmp_path: Path) -> None:
    checked = prepared(tmp_path, axes={"strategy": ["none", "forward"], "task.max_length": [8, 16]})
    assert len({cell.fingerprint for cell in checked.cells}) == 4
    (data,) = checked.data.values()
    assert (data.classes, len(data.train)) == (("no", "yes"), 2)
    assert {cell.data for cell in checked.cells} == {data.hash}
    assert len(checked.teacher_sources) == 2  # one is fine-tuned at each length
    assert {cell.teacher_hash for cell in checked.cells} == checked.teacher_sources.keys()
    assert {teacher.source for teacher in checked.teacher_sources.values()} == {f"{tmp_path}/teacher"}


def test_dtype_is_resolved_in_the_cells(tmp_path: Path) -> None:
    assert {cell.config.dtype for cell in prepared(tmp_path, "resources.gpus=1").cells} == {"bf16"}
    assert {cell.config.dtype for cell in prepared(tmp_path, "base.dtype=fp32").cells} == {"fp32"}


def test_a_cell_is_known_by_content_not_by_place(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (cell,) = prepared(here).cells
    (moved,) = prepared(there, "base.task.name=other", "base.model.name=other", "name=other").cells
    assert (cell.fingerprint, cell.teacher_hash) == (moved.fingerprint, moved.teacher_hash)
    assert cell.config != moved.config


@pytest.mark.parametrize(
    "file", ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors", "train.jsonl"]
)
def test_other_content_is_another_cell_and_teacher(tmp_path: Path, file: str) -> None:
    path = write_all(tmp_path)
    (cell,) = prepare(path, [f"storage={tmp_path}/runs"]).cells
    changed = tmp_path / ("" if file == "train.jsonl" else "teacher") / file
    if changed.suffix == ".json":
        content = json.loads(changed.read_text()) if changed.exists() else {}
        changed.write_text(json.dumps({**content, "note": 1}))
    elif changed.suffix == ".jsonl":
        write_rows(changed, [*rows_of("train"), {"text": "fine", "label": "yes"}])
    else:
        write_weights(changed, value=2.0)
    (other,) = prepare(path, [f"storage={tmp_path}/runs"]).cells
    assert cell.fingerprint != other.fingerprint
    assert cell.teacher_hash != other.teacher_hash


def test_nothing_is_written(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    prepare(path, [f"storage={tmp_path}/new/runs", f"tracking_uri=sqlite:///{tmp_path}/db/mlflow.db"])
    assert sorted(tmp_path.rglob("*")) == before


def test_the_example_is_a_sweep_of_ten_cells_once_its_files_are_there(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    for split in ("train", "dev", "test"):
        write_rows(tmp_path / f"{split}.jsonl", rows_of(split, "sentence"))
    write_teacher(tmp_path / "teacher", max_position_embeddings=128)
    path.write_text(EXAMPLE.read_text())
    assert len(prepare(path, [f"storage={tmp_path}/runs"]).cells) == 10
    assert len(prepare(path, [f"storage={tmp_path}/runs", "profile=quick"]).cells) == 5


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    example = yaml.safe_load(EXAMPLE.read_text())
    explicit = {key: value for key, value in example["base"].items() if key not in ("model", "task")}
    (cell,) = prepared(tmp_path).cells
    (written,) = prepared(tmp_path, base={**BASE, **explicit}).cells
    assert cell == written


def test_the_example_has_the_keys_that_each_family_needs() -> None:
    """Those of generation too, which t5, bart and qwen3 serve, and the teacher from scratch."""
    text = EXAMPLE.read_text()
    base = yaml.safe_load(text)["base"]
    assert {"optimizer", "weight_decay"} <= base["train"].keys()
    needed = {"references", "prefix", "max_new_tokens", "num_beams", "num_eval", "splits"}
    assert needed <= base["task"].keys()
    defaults = {key: field.get_default() for key, field in TaskConfig.model_fields.items() if key in needed}
    assert {key: base["task"][key] for key in needed} == defaults
    generated = yaml.safe_load(text.replace("    # source:", "    source:").replace("    # target:", "    target:"))
    assert generated["base"]["task"].keys() > base["task"].keys()
    form = "{kind: byte_bpe, vocab_size: 4000}"
    assert f"tokenizer: {form}}}; kind: byte_bpe, word\n" in text
    assert TokenizerConfig.model_validate(yaml.safe_load(form)) == TokenizerConfig()


def test_what_the_public_code_does_not_have_is_refused_at_once(tmp_path: Path) -> None:
    losses = {"semantics": "official", "hidden_norm": "layernorm"}
    assert lines(tmp_path, base={**BASE, "losses": losses}, axes={"losses.temperature": [1, 2, 4]}) == [
        "base.losses.hidden_norm: got layernorm; the public code of bert has none",
        "axes.losses.temperature[1]: got 2; the public code of bert has no temperature: give 1",
        "axes.losses.temperature[2]: got 4; the public code of bert has no temperature: give 1",
    ]
    assert len(prepared(tmp_path, axes={"losses.semantics": ["clean", "official"]}).cells) == 2


@pytest.mark.parametrize(("size", "is_right"), [(5, True), (64, True), (4, False), (65, False), (576, False)])
def test_the_embedding_table_may_be_padded_a_little(tmp_path: Path, size: int, is_right: bool) -> None:
    path = write_all(tmp_path)
    write_teacher(tmp_path / "teacher", vocab_size=size)
    if is_right:
        assert len(prepare(path, [f"storage={tmp_path}/runs"]).cells) == 1
        return
    with pytest.raises(InputError) as error:
        prepare(path, [f"storage={tmp_path}/runs"])
    rowless = ", without a row for '[PAD]' (4)" if size == 4 else ""
    message = f"got a model for {size} tokens with a tokenizer of 5{rowless}; use the model's own tokenizer"
    assert str(error.value) == f"base.model.teacher: {message}"


def test_the_vocabulary_of_a_unigram_tokenizer_is_a_list(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    tokenizer = {"model": {"vocab": [["a", -1.0]] * 4}, "added_tokens": [{"id": 4, "content": "<x>"}]}
    (tmp_path / "teacher/tokenizer.json").write_text(json.dumps(tokenizer))
    assert len(prepare(path, [f"storage={tmp_path}/runs"]).cells) == 1


def test_a_teacher_from_scratch(tmp_path: Path) -> None:
    teacher = {"config": SHAPE, "tokenizer": {"kind": "word", "vocab_size": 50}}
    checked = prepared(tmp_path, base={**BASE, "model": {**BASE["model"], "teacher": teacher}})
    (found,) = checked.teacher_sources.values()
    assert (found.source, found.config) == (None, SHAPE)
    wider = prepared(tmp_path, base={**BASE, "model": {**BASE["model"], "teacher": {**teacher, "tokenizer": {}}}})
    assert checked.teacher_sources.keys() != wider.teacher_sources.keys()


def test_a_hub_id_is_pinned_to_the_commit_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = tmp_path / "cache" / "snapshots" / "c0ffee"
    snapshot.parent.mkdir(parents=True)
    write_teacher(snapshot)
    asked: list[tuple[str, str, str | None]] = []

    def download(name: str, file: str, revision: str | None) -> str:
        asked.append((name, file, revision))
        return str(snapshot / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    checked = prepared(tmp_path, "base.model.teacher=org/name", "base.model.revision=v1")
    assert asked == [("org/name", "config.json", "v1"), ("org/name", "tokenizer.json", "c0ffee")]
    assert checked.cells[0].config.model.revision == "c0ffee"
    (teacher,) = checked.teacher_sources.values()
    assert (teacher.source, teacher.revision) == ("org/name", "c0ffee")


def test_values_of_an_axis_that_differ_only_in_a_name(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        write_rows(tmp_path / f"{split}.copy.jsonl", rows_of(split))
    copied = {split: str(tmp_path / f"{split}.copy.jsonl") for split in ("train", "validation", "test")}
    original = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "validation", "test")}
    tasks = [{**BASE["task"], "files": original}, {**BASE["task"], "name": "again", "files": copied}]
    model = {**BASE["model"], "teacher": str(tmp_path / "teacher")}
    axes = {"task": tasks, "model": [model, {**model, "name": "twin"}], "seed": [0, 1]}
    found = lines(tmp_path, "base.train.epochs=0", base={}, axes={**axes, "seed": [0, "one"]})
    assert found == [
        "base.train.epochs: got 0; expected more than 0",
        "axes.seed[1]: got 'one'; expected a whole number",
    ]
    there = "already, and a name alone makes no others: give them one name"
    assert lines(tmp_path, base={}, axes=axes) == [
        f"axes.model[1].name: got 'twin'; these cells have the name 'own' {there}",
        f"axes.task[1].name: got 'again'; these cells have the name 'words' {there}",
    ]


def test_cells_of_one_fingerprint_are_one(tmp_path: Path) -> None:
    axes = {"strategy": ["none", "forward"], "losses.hidden": [1, 3], "train.gradient_checkpointing": [False, True]}
    cells = prepared(tmp_path, axes=axes).cells
    assert [(cell.config.strategy.kind, cell.config.losses.hidden) for cell in cells] == [
        ("none", 1),
        ("forward", 1),
        ("forward", 3),
    ]
    assert len({cell.fingerprint for cell in cells}) == 3


def test_data_of_a_wrong_cell_is_still_checked(tmp_path: Path) -> None:
    found = lines(tmp_path, "base.train.batch_size=0", "base.task.text=[txt]", "base.model.student_blocks=13")
    no_field = "there is no such field (row 1: it has text, label), and 1 more"
    assert found == [
        "base.train.batch_size: got 0; expected at least 1",
        *(f"base.task.text[0]: got 'txt'; {split}.jsonl: {no_field}" for split in ("train", "validation", "test")),
        "base.model.student_blocks: got 13; the teacher's encoder has 12 blocks",
    ]


class _Answers(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), _Answers) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_tracking_server_that_is_well(tmp_path: Path, server: str, silent: int) -> None:
    assert len(prepared(tmp_path, f"tracking_uri={server}/").cells) == 1
    assert len(prepared(tmp_path, f"tracking_uri=postgresql://me@127.0.0.1:{silent}/db").cells) == 1
    assert len(prepared(tmp_path, "tracking_uri=databricks").cells) == 1


def test_a_server_that_is_not_well(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Answers, "status", 500)
    message = f"got '{server}'; a server is there but its /health gives 500; is it MLflow?"
    assert lines(tmp_path, f"tracking_uri={server}") == [f"tracking_uri: {message}"]


@pytest.mark.parametrize("dripping", [False, True])
def test_a_server_that_never_answers_is_given_up(
    tmp_path: Path, silent: int, monkeypatch: pytest.MonkeyPatch, dripping: bool
) -> None:
    assert places._TRIES * places._TRY_SECONDS + 0.5 <= 10
    monkeypatch.setattr(places, "_TRY_SECONDS", 0.1)
    if dripping:  # no single wait is long, all of them are
        monkeypatch.setattr(places, "_why_no_answer", lambda url: time.sleep(600))
    began = time.monotonic()
    url = f"http://127.0.0.1:{silent}"
    assert lines(tmp_path, f"tracking_uri={url}") == [f"tracking_uri: got '{url}'; it does not answer: timed out"]
    assert time.monotonic() - began < 300


def test_tracking_that_is_not_required_is_not_asked(tmp_path: Path) -> None:
    assert len(prepared(tmp_path, "tracking_uri=http://127.0.0.1:1", "tracking_required=false").cells) == 1


def test_a_remote_storage_needs_a_tracking_server(tmp_path: Path) -> None:
    message = "got null with a storage that is no folder; give the URI of a tracking server"
    assert lines(tmp_path, "storage=memory://runs") == [f"tracking_uri: {message}"]
    assert len(prepared(tmp_path, "storage=memory://runs", "tracking_uri=databricks").cells) == 1


def test_adapters_that_cannot_be_are_all_named_where_they_were_written(tmp_path: Path) -> None:
    model = {**BASE["model"], "lora": {"teacher": {"r": 8, "targets": ["query", "wq", "wk"]}}}
    axes = {
        "init": ["teacher", "random"],
        "model.lora.student": [None, {"r": 8}, {"r": 8, "targets": ["v_proj"]}],
    }
    assert [line.partition(";")[0] for line in lines(tmp_path, base={**BASE, "model": model}, axes=axes)] == [
        "base.model.lora.teacher.targets: got wq, wk",
        "axes.model.lora.student[2].targets: got v_proj",
        "axes.model.lora.student[1]: got adapters with init: random",
        "axes.model.lora.student[2]: got adapters with init: random",
    ]


def test_adapters_beside_a_teachers_weights_are_part_of_it(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    places = [f"storage={tmp_path}/runs"]
    (plain,) = prepare(path, places).cells
    write_weights(tmp_path / "teacher" / "adapter_model.safetensors", value=1.0)
    (one,) = prepare(path, places).cells
    write_weights(tmp_path / "teacher" / "adapter_model.safetensors", value=2.0)
    (other,) = prepare(path, places).cells
    assert len({plain.teacher_hash, one.teacher_hash, other.teacher_hash}) == 3


# The shape of a teacher, so that a plan needs no download.

HUB = {**BASE["model"], "teacher": "org/name", "shape": SHAPE}


def test_a_plan_does_without_the_teacher_where_its_shape_is_stated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    places = [f"storage={tmp_path}/runs"]
    path = write_all(tmp_path, base={**BASE, "model": HUB})
    planned = prepare(path, places, look_up=False)
    (cell,) = planned.cells
    assert [teacher.config for teacher in planned.teacher_sources.values()] == [SHAPE]
    plan = Plan.of(planned, Records(Storage(planned.config.storage_url)))
    assert counts(plan) == "teachers: 1 not looked up; cells: 1 not looked up"
    with pytest.raises(InputError, match=r"^base\.model\.teacher: got 'org/name'; there is no such folder"):
        prepare(path, places)
    with pytest.raises(InputError, match=r"^base\.model\.student_blocks: got 13; the teacher's encoder has 12 blocks"):
        prepare(path, [*places, "base.model.student_blocks=13"], look_up=False)
    with pytest.raises(
        InputError, match=r"^base\.model\.shape\.hiden_size: got an unknown field of BertConfig; did you mean"
    ):
        prepare(path, [*places, "base.model.shape.hiden_size=8"], look_up=False)
    other = prepare(path, [*places, "base.model.shape.hidden_size=24"], look_up=False)
    assert other.cells[0].fingerprint != cell.fingerprint


def test_what_is_run_has_to_be_of_the_stated_shape(tmp_path: Path) -> None:
    shaped = {**BASE["model"], "shape": {**SHAPE, "num_hidden_layers": 11}}
    assert lines(tmp_path, base={**BASE, "model": shaped}) == [
        "base.model.shape.num_hidden_layers: got 11; the teacher has 12"
    ]
    (plain,) = prepared(tmp_path).cells
    (stated,) = prepared(tmp_path, base={**BASE, "model": {**shaped, "shape": SHAPE}}).cells
    assert stated.fingerprint == plain.fingerprint


def test_splits_of_the_same_rows_are_refused(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    copied = rows_of("train")[::-1]
    write_rows(tmp_path / "test.jsonl", copied)
    asked = [f"storage={tmp_path}/runs"]
    same = "it has the same rows as train, and each split needs rows of its own"
    assert refused(path, *asked) == [f"base.task.files.test: got '{tmp_path}/test.jsonl'; {same}"]
    write_rows(tmp_path / "test.jsonl", rows_of("test"))
    assert len(prepare(path, asked).cells) == 1
    same = same.replace("train", "validation")
    assert refused(path, *asked, "base.task.splits={test: validation}") == [
        f"base.task.splits.test: got 'validation'; {same}"
    ]


def test_a_split_of_empty_texts_is_refused(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    write_rows(tmp_path / "validation.jsonl", [{"text": " \n", "label": "yes"}, {"text": "", "label": "no"}])
    assert refused(path, f"storage={tmp_path}/runs") == [
        f"base.task.files.validation: got '{tmp_path}/validation.jsonl'; it has empty texts only"
    ]


def test_a_share_of_a_file_is_a_cell_of_its_own(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    write_rows(tmp_path / "train.jsonl", [{"text": f"t{row}", "label": row % 2} for row in range(20)])
    for split in ("validation", "test"):
        write_rows(tmp_path / f"{split}.jsonl", [{**row, "label": 0} for row in rows_of(split)])
    asked = [f"storage={tmp_path}/runs"]
    keys = [prepare(path, [*asked, *more]).cells[0].fingerprint for more in ([], ["base.task.splits={test: 10%}"])]
    assert keys[0] != keys[1]
