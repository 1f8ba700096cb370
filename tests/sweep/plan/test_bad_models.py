"""Teachers and students that cannot be: what is said before anything starts."""

import json
import math
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sweep.plan.checks import prepare
from tests.sweep.own_data import TABLE, refused, write_all, write_rows, write_teacher, write_weights
from trainables import deadline

pytestmark = pytest.mark.usefixtures("only_given_places")


def test_a_width_that_cannot_be(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    (heads,) = refused(path, "base.model.student_width=10", "base.init=random")
    assert heads.startswith("base.model.student_width: got 10; ")
    (copied,) = refused(path, "axes.model.student_width=[12, 6]")
    assert copied.startswith("axes.model.student_width[1]: got 6 with init: teacher; ")


def test_a_family_that_does_not_fit(tmp_path: Path) -> None:
    kind, teacher = refused(write_all(tmp_path), "base.model.family=t5")
    assert kind.startswith("base.model.family: got t5 for a classification task; ")
    assert teacher.startswith("base.model.teacher: got a model of type 'bert'; ")


def test_a_teacher_that_cannot_write_as_much_as_the_task_asks(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    write_teacher(tmp_path / "teacher", model_type="bart", d_model=12, max_position_embeddings=32)
    for split in ("train", "validation", "test"):
        write_rows(tmp_path / f"{split}.jsonl", [{"source": split, "target": "b"}])
    asked = ("base.model.family=bart", "base.task.text=null", "base.task.kind=generation")
    assert refused(path, *asked) == ["base.task.max_new_tokens: got 64; the teacher writes at most 32 tokens"]


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    for file in (tmp_path / "teacher").iterdir():
        file.unlink()
    assert refused(path) == [
        f"base.model.teacher: got '{tmp_path}/teacher', a folder that is no model: "
        "it has no config.json, no weights (model.safetensors), no tokenizer (tokenizer.json)"
    ]
    assert refused(path, f"axes.model.teacher=[{tmp_path}/none]") == [
        f"axes.model.teacher[0]: got '{tmp_path}/none'; there is no such folder"
    ]
    (tmp_path / "teacher" / "config.json").write_text("{")
    (tmp_path / "teacher" / "model.safetensors").touch()
    (tmp_path / "teacher" / "vocab.txt").touch()
    assert refused(path) == [
        f"base.model.teacher: got '{tmp_path}/teacher/config.json', which cannot be read: "
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    ]


def test_a_teacher_whose_sizes_are_none(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    file = tmp_path / "teacher" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "num_hidden_layers": "six", "hidden_size": 0}))
    assert refused(path) == [
        "base.model.teacher: hidden_size in its config.json: got 0; expected a whole number of at least 1",
        "base.model.teacher: num_hidden_layers in its config.json: got 'six'; expected a whole number of at least 1",
    ]


def test_a_hub_id_that_cannot_be_had(tmp_path: Path) -> None:
    (line,) = refused(write_all(tmp_path), "base.model.teacher=org/none")
    assert line.startswith("base.model.teacher: got 'org/none'; there is no such folder, and from the hub: ")
    assert line.endswith("; give a folder in save_pretrained form instead, or a config to train a teacher from")


def test_a_hub_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, *_: str, **__: Any) -> str:
        time.sleep(600)
        return name

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 0.2)
    began = time.monotonic()
    (line,) = refused(write_all(tmp_path), "base.model.teacher=org/slow")
    assert "; there is no such folder, and from the hub: no answer in 0.2 seconds; give a folder " in line
    assert time.monotonic() - began < 300


def test_a_tokenizer_that_is_not_the_teachers(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    write_teacher(tmp_path / "teacher", num_tokens=7)
    message = "got a model for 5 tokens with a tokenizer of 7, without a row for 'w5' (5), '[PAD]' (6)"
    assert refused(path) == [f"base.model.teacher: {message}; use the model's own tokenizer"]


@pytest.mark.parametrize(("name", "text"), [("vocab.json", '{"w0": 0, "w2": 1, "x": 2}'), ("vocab.txt", "w0\nw2\nx\n")])
def test_a_folder_with_the_vocabularies_of_two_models(tmp_path: Path, name: str, text: str) -> None:
    path = write_all(tmp_path)
    (tmp_path / "teacher" / name).write_text(text)
    message = f"got a tokenizer.json and a {name} that differ: 'w2' is 2, not 1, 'x' is no token, not 2"
    assert refused(path) == [f"base.model.teacher: {message}"]
    same = '{"w0": 0, "w1": 1}' if name == "vocab.json" else "w0\nw1\n"
    (tmp_path / "teacher" / name).write_text(same)  # without what was added later
    assert len(prepare(path).cells) == 1


@pytest.mark.parametrize(
    ("name", "text"), [("vocab.json", '{"w0": 0, "w6": 6}'), ("vocab.txt", "a\nb\nc\nd\ne\nf\ng\n")]
)
def test_a_vocabulary_of_an_older_form_that_the_table_is_too_small_for(tmp_path: Path, name: str, text: str) -> None:
    path, teacher = write_all(tmp_path), tmp_path / "teacher"
    (teacher / "tokenizer.json").unlink()
    (teacher / name).write_text(text)
    (line,) = refused(path)
    assert line.startswith("base.model.teacher: got a model for 5 tokens with a tokenizer of 7, without a row for ")
    write_teacher(teacher, vocab_size=9)
    (teacher / "tokenizer.json").unlink()
    assert len(prepare(path).cells) == 1  # what was added later is in no such file


def test_weights_with_fewer_rows_than_the_config_says(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    write_weights(tmp_path / "teacher" / "model.safetensors", rows=4)
    message = f"{TABLE} in model.safetensors has 4 rows for 5 tokens"
    assert refused(path) == [f"base.model.teacher: got '{tmp_path}/teacher'; {message}"]


def test_a_teacher_from_scratch_with_fewer_rows_than_its_tokenizer_may_have(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    for config, tokenizer, most in (
        ("vocab_size: 299", "kind: byte_bpe, vocab_size: 300", 300),
        ("vocab_size: 99", "kind: word, vocab_size: 100", 100),
        ("vocab_size: 260", "kind: byte_bpe, vocab_size: 1", 261),  # 256 bytes and BERT's five special tokens
    ):
        (line,) = refused(path, f"base.model.teacher={{config: {{{config}}}, tokenizer: {{{tokenizer}}}}}")
        assert line.startswith("base.model.teacher.config.vocab_size: got ")
        assert f"; the tokenizer may have {most} tokens: " in line
    small = "{config: {vocab_size: 261}, tokenizer: {kind: byte_bpe, vocab_size: 1}}"
    assert len(prepare(path, [f"base.model.teacher={small}"]).cells) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite(tmp_path: Path, value: float) -> None:
    path = write_all(tmp_path)
    write_weights(tmp_path / "teacher" / "model.safetensors", value=value)
    message = f"model.safetensors holds NaN or infinity in {TABLE}"
    assert refused(path) == [f"base.model.teacher: got '{tmp_path}/teacher'; {message}"]
    write_weights(tmp_path / "teacher" / "model.safetensors")
    write_weights(tmp_path / "teacher" / "adapter_model.safetensors", value=value)
    (line,) = refused(path)
    assert line.endswith(f"; adapter_model.safetensors holds NaN or infinity in {TABLE}")


def test_weights_that_are_cut_off(tmp_path: Path) -> None:
    path, teacher = write_all(tmp_path), tmp_path / "teacher"
    whole = (teacher / "model.safetensors").read_bytes()
    (teacher / "model.safetensors").write_bytes(whole[:-1])
    message = f"model.safetensors is not whole: its header speaks of {len(whole)} bytes, and it has {len(whole) - 1}"
    assert refused(path) == [f"base.model.teacher: got '{teacher}'; {message}"]
    (teacher / "model.safetensors").unlink()
    with zipfile.ZipFile(teacher / "pytorch_model.bin", "w") as archive:
        archive.writestr("data.pkl", b"x" * 100)
    assert len(prepare(path).cells) == 1
    (teacher / "pytorch_model.bin").write_bytes((teacher / "pytorch_model.bin").read_bytes()[:80])
    message = "pytorch_model.bin is cut off: its index is missing"
    assert refused(path) == [f"base.model.teacher: got '{teacher}'; {message}"]


def test_a_shard_of_the_weights_that_is_not_there(tmp_path: Path) -> None:
    path, teacher = write_all(tmp_path), tmp_path / "teacher"
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    (teacher / "model.safetensors").rename(teacher / parts[0])
    index = teacher / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {TABLE: parts[0], "rest": parts[1]}}))
    message = f"{index.name} names {parts[1]}, and there is no such file"
    assert refused(path) == [f"base.model.teacher: got '{teacher}'; {message}"]
    write_weights(teacher / parts[1])
    assert len(prepare(path).cells) == 1


def test_states_of_a_stack_that_the_model_has_not(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    states = "{encoder: [1, 2, 3], decoder: [1, 2, 3]}"
    assert refused(path, f"base.strategy={{kind: custom, states: {states}}}") == [
        "base.strategy.states.decoder: got a stack that the model does not have; it has encoder"
    ]


def test_a_ready_teacher_of_other_classes(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    names = {"0": "a", "1": "b", "2": "c"}
    write_teacher(tmp_path / "teacher", architectures=["BertForSequenceClassification"], id2label=names)
    (line,) = refused(path, "base.model.finetune=null")
    assert line.startswith("base.model.teacher: got a head of 3 outputs; ")


def test_a_ready_teacher_whose_classes_stand_in_another_order(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    names = {"0": "yes", "1": "no"}
    write_teacher(tmp_path / "teacher", architectures=["BertForSequenceClassification"], id2label=names)
    (line,) = refused(path, "base.model.finetune=null")
    assert line.startswith("base.model.teacher: got the classes yes, no; ")
    assert len(prepare(path, ["base.model.finetune=null", "base.task.classes=[yes, no]"]).cells) == 1
    assert len(prepare(path).cells) == 1  # fine-tuning draws a new head


def test_a_teacher_from_scratch_that_cannot_be_built(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    assert refused(path, "base.model.teacher={config: {hiden_size: 12}}") == [
        "base.model.teacher.config.hiden_size: got an unknown field of BertConfig; did you mean 'hidden_size'?"
    ]
    assert refused(path, "base.model.teacher={config: {}, tokenizer: {vocab_size: 0}}", "base.model.finetune=null") == [
        "base.model.teacher.tokenizer.vocab_size: got 0; expected at least 1",
        "base.model.finetune: got null; a teacher built from a config has to be trained",
    ]
    assert refused(path, "base.model.teacher={config: {}}", "base.model.finetune=null") == [
        "base.model.finetune: got null; a teacher built from a config has to be trained"
    ]
