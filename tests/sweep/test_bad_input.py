"""Every bad input that can be told before anything starts: one exact line each, all at once, nothing written."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sweep.checks import prepare
from sweep.messages import shown
from tests.sweep.own_data import BASE, ROWS, write_all, write_rows, write_teacher
from trainables import deadline
from trainables.errors import InputError


@pytest.fixture(autouse=True)
def _no_places_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("SWEEP_STORAGE", str(tmp_path / "runs"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def lines(path: Path, *overrides: str) -> list[str]:
    """What is wrong, line by line; the folder is as it was."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(InputError) as error:
        prepare(path, overrides)
    assert sorted(path.parent.rglob("*")) == before
    return str(error.value).split("\n")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("base.train.batchsize=8", "base.train.batchsize: got an unknown key; did you mean batch_size?"),
        ("resource=3", "resource: got an unknown key; did you mean resources?"),
        ("base.learning_rate=3", "base.learning_rate: got an unknown key; did you mean base.train.learning_rate?"),
        ("seed=3", "seed: got an unknown key; did you mean base.seed?"),
        ("base.train.epochs=many", "base.train.epochs: got 'many'; a number"),
        ("base.train.batch_size=2.5", "base.train.batch_size: got 2.5; a whole number"),
        ("base.train.batch_size=true", "base.train.batch_size: got true; a whole number"),
        ("base.model=3", "base.model: got 3; a mapping"),
        ("base.task=sst3",
         "base.task: got 'sst3'; no built-in task 'sst3'; one of "
         "natural-logic, localisation, mnli, qqp, qnli, sst2, wmt16-en-ro, dart, hellaswag, coqa, commonsense_qa, "
         "or a mapping"),
        ("base.model.teacher=3", "base.model.teacher: got 3; a text or a mapping"),
        ("axes.seed=3", "axes.seed: got 3; a list"),
        ("axes.model=3", "axes.model: got 3; a list"),
        ("base=[]", "base: got []; a mapping"),
        ("grids=[4]", "grids[0]: got 4; a mapping"),
        ("grids={one: 4}", "grids.one: got 4; a mapping"),
        ("grids=4", "grids: got 4; a list or a mapping"),
        ("name=a b", r"name: got 'a b'; a text that matches ^[\w-][\w.-]*$"),
        ("name=..", r"name: got '..'; a text that matches ^[\w-][\w.-]*$"),
        ("axes.seed=[]", "axes.seed: got []; at least one value"),
        ("axes.seeds=[1]", "axes.seeds: got an axis that is no field; did you mean axes.seed?"),
        (
            "axes.learning_rate=[1]",
            "axes.learning_rate: got an axis that is no field; did you mean axes.train.learning_rate?",
        ),
        ("axes.init=[teacher, teacher]", "axes.init[1]: got 'teacher' again (first at [0]); give each value once"),
        ("axes.init=[teacher, both]", "axes.init[1]: got 'both'; one of 'random' or 'teacher'"),
        ("base.train.batch_size=0", "base.train.batch_size: got 0; at least 1"),
        ("axes.train.batch_size=[4, 0]", "axes.train.batch_size[1]: got 0; at least 1"),
        ("base.losses.kl=-1", "base.losses.kl: got -1; at least 0"),
        ("base.losses={ce: 0, kl: 0}", "base.losses.ce: got 0 beside kl: 0; the output layer needs one of them"),
        ("base.strategy=forwards", "base.strategy: got 'forwards'; no strategy 'forwards'; did you mean 'forward'? "
         "One of none, forward, reverse, all_to_one, random, in_order_random, custom"),
        ("base.strategy={kind: custom}", "base.strategy.states: got nothing; this key is needed"),
        ("base.strategy={kind: none, teacher_state: 1}",
         "base.strategy.teacher_state: got an unknown key; known: kind, match_embeddings"),
        (
            "base.strategy={kind: all_to_one, teacher_state: 40}",
            "base.strategy.teacher_state: got 40; the teacher's encoder has states 0 to 12",
        ),
        (
            "axes.strategy=[none, {kind: custom, states: [1, 2]}]",
            "axes.strategy[1].states: got 2 states; the student's encoder has 3 blocks",
        ),
        ("base.model.student_blocks=13", "base.model.student_blocks: got 13; the teacher's encoder has 12 blocks"),
        ("base.model.finetune=null", "base.model.teacher: got a model without a classifier "
         "(BertForSequenceClassification); give finetune, or a fine-tuned teacher"),
        ("base.model.family=bret", "base.model.family: got 'bret'; did you mean bert?"),
        ("base.task.max_length=64", "base.task.max_length: got 64; the teacher reads at most 32 tokens"),
        ("resources.gpus=1.5", "resources.gpus: got 1.5; 0, a fraction below 1, or a whole number"),
        ("resources.cpus=0", "resources.cpus: got 0; at least 1"),
        ("search={trials: 3}", "search: got {'trials': 3}; only null is supported"),
        ("plugins=[/none/a.py]", "plugins[0]: got '/none/a.py'; No such file or directory"),
        ("plugins=a.py", "plugins: got 'a.py'; a list"),
        ("profile=quick", "profile: got 'quick'; this config has no profiles"),
        ("profile=[quick]", "profile: got ['quick']; this config has no profiles"),
        ("storage=/proc/runs", "storage: got '/proc/runs'; /proc cannot be written to: No such file or directory"),
        ("tracking_uri=http://127.0.0.1:1",
         "tracking_uri: got 'http://127.0.0.1:1'; no answer: [Errno 111] Connection refused"),
        ("tracking_uri=mysql://me:secret@127.0.0.1:1/x",
         "tracking_uri: got 'mysql://me:***@127.0.0.1:1/x'; no answer: [Errno 111] Connection refused"),
        ("tracking_uri=mysql://me:secret/part@127.0.0.1:1/x", "tracking_uri: got 'mysql://me:***@127.0.0.1:1/x'; "
         "not a URI; %2F, %3F, %23 stand for /, ?, # in a password"),
        ("tracking_uri=x://me:secret@h", "tracking_uri: got 'x://me:***@h'; http(s)://…, sqlite:///…, postgresql://…, "
         "mysql://… or databricks; MLflow keeps no runs in folders"),
        ("tracking_uri=http://me:secret@127.0.0.1:1",
         "tracking_uri: got 'http://me:***@127.0.0.1:1'; no answer: [Errno 111] Connection refused"),
        (f"keep=http://me:{'secret' * 20}@h", "keep: got 'http://me:***@h'; one of 'best', 'all' or 'none'"),
        ("tracking_uri=http://a:b", "tracking_uri: got 'http://a:b'; not a URI: nonnumeric port: 'b'"),
        ("tracking_uri=postgresql://a:b/x", "tracking_uri: got 'postgresql://a:b/x'; not a URI: "
         "Port could not be cast to integer value as 'b'"),
        ("storage=/proc/version", "storage: got '/proc/version'; /proc/version cannot be written to: Not a directory"),
        ("tracking_uri=sqlite:////proc/x/mlflow.db",
         "tracking_uri: got 'sqlite:////proc/x/mlflow.db'; /proc cannot be written to: No such file or directory"),
        ("tracking_uri=./mlruns", "tracking_uri: got './mlruns'; http(s)://…, sqlite:///…, postgresql://…, mysql://… "
         "or databricks; MLflow keeps no runs in folders"),
        ("base.train=[", "base.train, line 1, column 2: malformed YAML: "
         "expected the node content, but found '<stream end>'"),
        ("base.seed.x=1", "base.seed: got {'x': 1}; a whole number"),
        ("base.task.name.x=1", "base.task.name.x: got a key inside of base.task.name, which holds no keys"),
    ],
)  # fmt: skip
def test_an_override_that_is_wrong(tmp_path: Path, override: str, line: str) -> None:
    assert lines(write_all(tmp_path), override) == [line]


def test_an_unknown_key_hides_nothing_else(tmp_path: Path) -> None:
    wrong = ("base.model.student_blocs=2", "base.model.teacher=/none", "base.task.max_lenght=8", "base.task.label=kind")
    found = lines(write_all(tmp_path), *wrong)
    assert found[:2] == [
        "base.model.student_blocs: got an unknown key; did you mean student_blocks?",
        "base.task.max_lenght: got an unknown key; did you mean max_length?",
    ]
    assert "base.model.teacher: got '/none'; there is no such folder" in found
    assert any(line.startswith("base.task.label: got 'kind'; train.jsonl: there is no such field") for line in found)


def test_a_known_profile_is_named(tmp_path: Path) -> None:
    path = write_all(tmp_path, profiles={"quick": {}})
    assert lines(path, "profile=quik") == ["profile: got 'quik'; did you mean quick?"]


def test_a_storage_of_an_unknown_kind(tmp_path: Path) -> None:
    found = lines(write_all(tmp_path), "storage=x3://runs", "tracking_uri=databricks")
    assert found == ["storage: got 'x3://runs'; Protocol not known: x3"]
    found = lines(tmp_path / "sweep.yaml", "storage=x3://me:secret@h/runs", "tracking_uri=databricks")
    assert found == ["storage: got 'x3://me:***@h/runs'; Protocol not known: x3"]


def test_a_width_that_cannot_be(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    heads = "base.model.student_width: got 10; a multiple of num_attention_heads, 3"
    copied = "got 6 with init: teacher; weights can be copied to the teacher's 12 only"
    assert lines(path, "base.model.student_width=10", "base.init=random") == [heads]
    assert lines(path, "axes.model.student_width=[12, 6]") == [f"axes.model.student_width[1]: {copied}"]


def test_a_family_that_does_not_fit(tmp_path: Path) -> None:
    assert lines(write_all(tmp_path), "base.model.family=t5") == [
        "base.model.family: got t5 for a classification task; "
        "t5 serves generation, multiple_choice and question_answering",
        "base.model.teacher: got a model of type 'bert'; t5 needs 't5'",
    ]


def test_a_missing_and_an_unreadable_data_file(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    (tmp_path / "test.jsonl").unlink()
    rows = (tmp_path / "train.jsonl").read_text()
    (tmp_path / "train.jsonl").write_text(rows + '{"text"\n')
    assert lines(path) == [
        f"base.task.files.train: got {tmp_path}/train.jsonl; each line has to be a JSON object "
        "(line 3: Expecting ':' delimiter)",
        f"base.task.files.test: got {tmp_path}/test.jsonl; there is no such file",
    ]
    (tmp_path / "test.jsonl").write_text(rows)
    (tmp_path / "train.jsonl").write_text(rows.splitlines()[0] + '\n{"text"\n')
    assert lines(path) == [
        f"base.task.files.train: got {tmp_path}/train.jsonl; each line has to be a JSON object "
        "(line 2: Expecting ':' delimiter)"
    ]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([], "files.test: got {folder}/test.jsonl; it has no rows, and a split needs one"),
        ([{"text": "a", "label": "maybe"}], "label: got 'label'; test.jsonl: the classes are no, yes (row 1: 'maybe')"),
        (
            [*ROWS, {"text": "a", "lable": "yes"}],
            "label: got 'label'; test.jsonl: there is no such field (row 3: it has text, lable)",
        ),
    ],
)
def test_data_that_is_wrong(tmp_path: Path, rows: list[dict[str, Any]], line: str) -> None:
    path = write_all(tmp_path)
    write_rows(tmp_path / "test.jsonl", rows)
    assert lines(path) == [f"base.task.{line.format(folder=tmp_path)}"]


def test_a_teacher_that_cannot_write_as_much_as_the_task_asks(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    write_teacher(tmp_path / "teacher", model_type="bart", d_model=12, max_position_embeddings=32)
    for split in ("train", "validation", "test"):
        write_rows(tmp_path / f"{split}.jsonl", [{"source": "a", "target": "b"}])
    asked = ("base.model.family=bart", "base.task.text=null", "base.task.kind=generation")
    assert lines(path, *asked) == ["base.task.max_new_tokens: got 64; the teacher writes at most 32 tokens"]


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    for file in (tmp_path / "teacher").iterdir():
        file.unlink()
    assert lines(path) == [
        f"base.model.teacher: got '{tmp_path}/teacher', a folder that is no model: "
        "it has no config.json, no weights (model.safetensors), no tokenizer (tokenizer.json)"
    ]
    assert lines(path, f"axes.model.teacher=[{tmp_path}/none]") == [
        f"axes.model.teacher[0]: got '{tmp_path}/none'; there is no such folder"
    ]
    (tmp_path / "teacher" / "config.json").write_text("{")
    (tmp_path / "teacher" / "model.safetensors").touch()
    (tmp_path / "teacher" / "vocab.txt").touch()
    assert lines(path) == [
        f"base.model.teacher: got '{tmp_path}/teacher/config.json', which cannot be read: "
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    ]


def test_a_teacher_whose_sizes_are_none(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    file = tmp_path / "teacher" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "num_hidden_layers": "six", "hidden_size": 0}))
    assert lines(path) == [
        "base.model.teacher: hidden_size in its config.json: got 0; a whole number of at least 1",
        "base.model.teacher: num_hidden_layers in its config.json: got 'six'; a whole number of at least 1",
    ]


def test_a_tracking_database_that_is_none(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    (tmp_path / "text.db").write_text("not a database, but a text that is longer than a header" * 9)
    for name, reason in (
        (f"{tmp_path}/text.db", f"{tmp_path}/text.db cannot be read as an SQLite database: file is not a database"),
        (f"{tmp_path}", f"{tmp_path} is a folder; sqlite:///…, with the path of a file"),
        (":memory:", "a database in memory is seen by no other process; sqlite:///…, with the path of a file"),
    ):
        uri = f"sqlite:///{name}"
        assert lines(path, f"tracking_uri='{uri}'") == [f"tracking_uri: got {shown(uri)}; {reason}"]


def test_the_storages_own_database_that_is_none(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    (tmp_path / "runs").mkdir()
    database = tmp_path / "runs" / "mlflow.db"
    database.write_text("not a database, but a text that is longer than a header" * 9)
    assert lines(path, f"storage={tmp_path}/runs", "tracking_uri=null") == [
        f"tracking_uri: got {shown(f'sqlite:///{database}')}; {database} cannot be read as an SQLite database: "
        "file is not a database"
    ]
    assert [file.name for file in (tmp_path / "runs").iterdir()] == ["mlflow.db"]


def test_a_hub_id_that_cannot_be_had(tmp_path: Path) -> None:
    (line,) = lines(write_all(tmp_path), "base.model.teacher=org/none")
    assert line.startswith("base.model.teacher: got 'org/none'; no folder of this name, and from the hub: ")
    assert line.endswith("; give a folder in save_pretrained form instead, or a config to train a teacher from")


def test_a_hub_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, *_: str, **__: Any) -> str:
        time.sleep(3)
        return name

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 0.2)
    began = time.monotonic()
    (line,) = lines(write_all(tmp_path), "base.model.teacher=org/slow")
    assert "; no folder of this name, and from the hub: no answer in 0.2 seconds; give a folder " in line
    assert time.monotonic() - began < 2.5


def test_a_tokenizer_that_is_not_the_teachers(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    write_teacher(tmp_path / "teacher", num_tokens=7)
    message = "got a model for 5 tokens with a tokenizer of 7, without a row for 'w5' (5), '[PAD]' (6)"
    assert lines(path) == [f"base.model.teacher: {message}; a tokenizer that is the model's"]


@pytest.mark.parametrize(("name", "text"), [("vocab.json", '{"w0": 0, "w2": 1, "x": 2}'), ("vocab.txt", "w0\nw2\nx\n")])
def test_a_folder_with_the_vocabularies_of_two_models(tmp_path: Path, name: str, text: str) -> None:
    path = write_all(tmp_path)
    (tmp_path / "teacher" / name).write_text(text)
    message = f"got a tokenizer.json and a {name} that differ: 'w2' is 2, not 1, 'x' is no token, not 2"
    assert lines(path) == [f"base.model.teacher: {message}"]
    same = '{"w0": 0, "w1": 1}' if name == "vocab.json" else "w0\nw1\n"
    (tmp_path / "teacher" / name).write_text(same)  # without what was added later
    assert len(prepare(path).cells) == 1


def test_a_ready_teacher_of_other_classes(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    names = {"0": "a", "1": "b", "2": "c"}
    write_teacher(tmp_path / "teacher", architectures=["BertForSequenceClassification"], id2label=names)
    message = "got a classifier of 3 classes; the task has 2: give finetune, or another teacher"
    assert lines(path, "base.model.finetune=null") == [f"base.model.teacher: {message}"]


def test_a_ready_teacher_whose_classes_stand_in_another_order(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    names = {"0": "yes", "1": "no"}
    write_teacher(tmp_path / "teacher", architectures=["BertForSequenceClassification"], id2label=names)
    message = (
        "got the classes yes, no; the task's are no, yes, in this order: "
        "give task.classes and the labels in the teacher's order, or finetune"
    )
    assert lines(path, "base.model.finetune=null") == [f"base.model.teacher: {message}"]
    assert len(prepare(path, ["base.model.finetune=null", "base.task.classes=[yes, no]"]).cells) == 1
    assert len(prepare(path).cells) == 1  # fine-tuning draws a new head


def test_a_teacher_from_scratch_that_cannot_be_built(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    assert lines(path, "base.model.teacher={config: {hiden_size: 12}}") == [
        "base.model.teacher.config.hiden_size: no such field of BertConfig; did you mean 'hidden_size'?"
    ]
    assert lines(path, "base.model.teacher={config: {}, tokenizer: {vocab_size: 0}}", "base.model.finetune=null") == [
        "base.model.teacher.tokenizer.vocab_size: got 0; at least 1",
    ]
    assert lines(path, "base.model.teacher={config: {}}", "base.model.finetune=null") == [
        "base.model.finetune: got null; a teacher built from a config has to be trained"
    ]


def test_an_empty_config(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.touch()
    assert lines(path) == [
        "name: got nothing; this key is needed",
        "base.model: got nothing; this key is needed",
        "base.task: got nothing; this key is needed",
    ]


def test_a_config_that_is_no_config(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    assert lines(path) == [f"config: got '{path}'; No such file or directory"]
    path.write_bytes(b"\xff")
    assert lines(path) == [f"config: got '{path}'; not a text in UTF-8"]
    path.write_text("- a\n")
    assert lines(path) == [f"{path}: got ['a']; a mapping, such as --example prints"]
    assert lines(tmp_path) == [f"config: got '{tmp_path}'; Is a directory"]


def test_malformed_yaml_has_its_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("name: x\nbase: {seed: 1\naxes: {}\n")
    assert lines(path) == [f"{path}, line 3, column 5: malformed YAML: expected ',' or '}}', but got ':'"]
    path.write_text("name: x\nbase: {seed: 1, seed: 2}\nname: y\n")
    assert lines(path) == [
        f"{path}, line 2, column 17: got the key 'seed' again (first in line 2); give it once",
        f"{path}, line 3, column 1: got the key 'name' again (first in line 1); give it once",
    ]
    path.write_text("null: x\nbase: {~: 1}\n? [a]\n: 1\n")
    assert lines(path) == [f"{path}, line 3, column 3: malformed YAML: found unhashable key"]
    path.write_text("null: x\nbase: {~: 1}\n")
    assert lines(path) == [
        f"{path}, line 2, column 8: got null for a key; a text",
        f"{path}, line 1, column 1: got null for a key; a text",
    ]
    path.write_text("name: \x07\n")
    assert lines(path)[0].startswith(f"{path}: malformed YAML: unacceptable character #x0007")


def test_all_problems_of_all_sorts_come_at_once(tmp_path: Path) -> None:
    base = {**BASE, "train": {"batch_size": 0, "lr": 1}, "losses": {"hidden": -3}}
    strategies = ["none", {"kind": "all_to_one", "teacher_state": 40}]
    path = write_all(tmp_path, base=base, axes={"seed": [], "strategy": strategies}, keep="some", resource={})
    (tmp_path / "validation.jsonl").unlink()
    assert lines(path, "base.model.student_blocks=13", "storage=/proc/x", "tracking_uri=file:runs") == [
        "keep: got 'some'; one of 'best', 'all' or 'none'",
        "resource: got an unknown key; did you mean resources?",
        "axes.seed: got []; at least one value",
        "base.train.batch_size: got 0; at least 1",
        "base.train.lr: got an unknown key; known: accumulation, batch_size, checkpoint_minutes, clip_norm, epochs, "
        "evaluate_every, freeze_embeddings, gradient_checkpointing, learning_rate, max_steps, optimizer, "
        "scale_parameter, warmup_steps, weight_decay",
        "base.losses.hidden: got -3; at least 0",
        f"base.task.files.validation: got {tmp_path}/validation.jsonl; there is no such file",
        "base.model.student_blocks: got 13; the teacher's encoder has 12 blocks",
        "axes.strategy[1].teacher_state: got 40; the teacher's encoder has states 0 to 12",
        "storage: got '/proc/x'; /proc cannot be written to: No such file or directory",
        "tracking_uri: got 'file:runs'; http(s)://…, sqlite:///…, postgresql://…, mysql://… or databricks; "
        "MLflow keeps no runs in folders",
    ]
