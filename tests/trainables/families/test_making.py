"""Models from a config, from a folder, and to plain transformers and back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.trainables.families.settings import SETTINGS, Setting
from trainables.config import TokenizerConfig
from trainables.errors import InputError
from trainables.families import FAMILIES, making
from trainables.families.making import load_tokenizer
from trainables.families.states import forward
from trainables.families.tiny import LABELS, tokenizer
from trainables.heads import LANGUAGE_MODEL, Head
from trainables.tasks.tokenizer import train_tokenizer


def same(model: PreTrainedModel, other: PreTrainedModel) -> bool:
    mine, theirs = model.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(value, theirs[key]) for key, value in mine.items())


def test_scratch_config_takes_ids_from_the_tokenizer(setting: Setting) -> None:
    words = tokenizer(setting.family)
    config = making.scratch_config(setting.family, setting.config, words, setting.head)
    assert config.vocab_size == len(words)
    ids = {
        "bert": {"pad_token_id": 5},
        "roberta": {"bos_token_id": 5, "pad_token_id": 6, "eos_token_id": 7},
        "distilbert": {"pad_token_id": 5},
        "bart": {
            "bos_token_id": 5,
            "pad_token_id": 6,
            "eos_token_id": 7,
            "decoder_start_token_id": 7,
            "forced_eos_token_id": 7,
        },
        "t5": {"pad_token_id": 5, "eos_token_id": 6, "decoder_start_token_id": 5},
        "llama": {"pad_token_id": 5, "bos_token_id": 6, "eos_token_id": 7},
        "mistral": {"pad_token_id": 5, "bos_token_id": 6, "eos_token_id": 7},
        "qwen2": {"pad_token_id": 5, "eos_token_id": 5},
        "qwen3": {"pad_token_id": 5, "eos_token_id": 5},
    }[setting.family.name]
    assert {key: getattr(config, key) for key in ids} == ids
    assert {key: getattr(config, key) for key in setting.config} == setting.config


def test_scratch_config_names_the_classes() -> None:
    family = FAMILIES["bert"]
    config = making.scratch_config(
        family, {}, tokenizer(family), Head("sequence_classification", ("no", "maybe", "yes"))
    )
    assert config.id2label == {0: "no", 1: "maybe", 2: "yes"}
    assert config.label2id == {"no": 0, "maybe": 1, "yes": 2}
    assert config.num_labels == 3
    number = Head("sequence_classification", ("score",), "squared_error")
    assert making.scratch_config(family, {}, tokenizer(family), number).problem_type == "regression"


def test_a_persons_fields_win() -> None:
    family = FAMILIES["t5"]
    config = making.scratch_config(family, {"vocab_size": 64, "eos_token_id": 9}, tokenizer(family), LANGUAGE_MODEL)
    assert (config.vocab_size, config.eos_token_id, config.pad_token_id) == (64, 9, 5)


def test_build_draws_from_its_seed_alone(setting: Setting, teacher: PreTrainedModel) -> None:
    def build(seed: int) -> PreTrainedModel:
        return making.build(setting.family, teacher.config, setting.head_name, seed=seed)

    torch.manual_seed(5)
    first = build(1)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), after)
    torch.manual_seed(6)
    assert same(first, build(1))
    assert not same(first, build(2))
    assert all(parameter.dtype == torch.float32 for parameter in first.parameters())


def test_load_gives_the_saved_model(setting: Setting, teacher: PreTrainedModel, tmp_path: Path) -> None:
    teacher.save_pretrained(tmp_path)
    torch.manual_seed(5)
    loaded = making.load(setting.family, str(tmp_path), None, setting.head, seed=0)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), after)
    assert same(loaded, teacher)
    assert not loaded.training
    assert same(setting.plain(tmp_path), teacher)


def test_a_head_that_is_there_keeps_its_names(tmp_path: Path) -> None:
    setting = SETTINGS[0]
    teacher = setting.teacher()
    teacher.config.id2label = {0: "x", 1: "y", 2: "z"}
    teacher.save_pretrained(tmp_path)
    loaded = making.load(setting.family, str(tmp_path), None, setting.head, seed=0)
    assert loaded.config.id2label == {0: "x", 1: "y", 2: "z"}


def test_loading_and_saving_say_nothing(tmp_path: Path) -> None:
    setting = SETTINGS[0]
    setting.teacher().base_model.save_pretrained(tmp_path)  # type: ignore[operator]
    code = (
        "from trainables.families import FAMILIES, making; from trainables.families.tiny import head; "
        "model = making.load(FAMILIES['bert'], '.', None, head('sequence_classification', 5), seed=0); "
        "model.save_pretrained('.')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_tokenizer_beside_a_model_is_the_one_that_was_saved(
    setting: Setting, teacher: PreTrainedModel, tmp_path: Path
) -> None:
    """transformers chooses a class of tokenizers by the model's type; some build a vocabulary of their own."""
    texts = ["they don't walk 12 of 13 dogs, e\u0301t cetera\n\n  now"]
    trained = train_tokenizer(TokenizerConfig(kind="byte_bpe", vocab_size=350), setting.family, texts * 3)
    teacher.save_pretrained(tmp_path)
    trained.save_pretrained(tmp_path)
    loaded = load_tokenizer(str(tmp_path))
    assert loaded.get_vocab() == trained.get_vocab()
    assert loaded(texts[0], "12")["input_ids"] == trained(texts[0], "12")["input_ids"]
    assert loaded.special_tokens_map.items() >= trained.special_tokens_map.items()


def test_without_a_pad_token_the_end_token_pads(tmp_path: Path) -> None:
    setting = next(s for s in SETTINGS if s.family.name == "llama" and s.head_name == "sequence_classification")
    words, teacher, batch = tokenizer(setting.family), setting.teacher(), setting.batch()
    wanted = forward(setting.family, teacher, batch).logits
    words.pad_token = None
    teacher.config.pad_token_id = None
    teacher.save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    assert load_tokenizer(str(tmp_path)).pad_token == "</s>"
    loaded = making.load(setting.family, str(tmp_path), None, setting.head, seed=0)
    assert loaded.config.pad_token_id == words.eos_token_id
    assert torch.equal(forward(setting.family, loaded, batch).logits, wanted)


def test_load_gives_fp32(setting: Setting, tmp_path: Path) -> None:
    setting.teacher().to(torch.bfloat16).save_pretrained(tmp_path)
    loaded = making.load(setting.family, str(tmp_path), None, setting.head, seed=0)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


@pytest.mark.parametrize("classifying", [s for s in SETTINGS if s.head.has_labels], ids=str)
@pytest.mark.parametrize("num_classes", [len(LABELS), 5])
def test_a_missing_or_other_head_is_drawn_from_the_seed(classifying: Setting, num_classes: int, tmp_path: Path) -> None:
    setting, teacher = classifying, classifying.teacher()
    (teacher.base_model if num_classes == len(LABELS) else teacher).save_pretrained(tmp_path)
    named = Head(setting.head_name, tuple(f"c{index}" for index in range(num_classes)))
    facts = setting.family.models[setting.head_name]

    def load(seed: int) -> PreTrainedModel:
        folder = str(tmp_path)
        return making.load(setting.family, folder, None, named, seed=seed)

    first, other = load(1).state_dict(), load(2).state_dict()
    again = load(1).state_dict()
    [outputs] = [key for key in first if key.startswith(facts.outputs) and key.endswith("weight")]
    assert first[outputs].shape == (num_classes, 16)
    assert torch.equal(first[outputs], again[outputs])
    assert not torch.equal(first[outputs], other[outputs])
    assert 0 < first[outputs].abs().max() < 1
    # What stands on the base model (RoBERTa's and DistilBERT's first layer of the head) was not saved with it.
    saved = f"{teacher.base_model_prefix}." if num_classes == len(LABELS) else ""
    kept = [key for key in first if key.startswith(saved) and not key.startswith(facts.outputs)]
    assert all(torch.equal(first[key], teacher.state_dict()[key]) for key in kept)
    assert load(1).config.id2label == dict(enumerate(named.labels))


def test_layer_drop_is_off(tmp_path: Path) -> None:
    setting = next(s for s in SETTINGS if s.family.name == "bart")
    teacher = setting.teacher()
    teacher.config.encoder_layerdrop = teacher.config.decoder_layerdrop = 0.9  # type: ignore[union-attr]
    teacher.save_pretrained(tmp_path)
    loaded = making.load(setting.family, str(tmp_path), None, LANGUAGE_MODEL, seed=0).train()
    assert len(forward(setting.family, loaded, setting.batch()).states["encoder"]) == 7


def test_padding_comes_from_the_tokenizer_where_the_config_has_none(tmp_path: Path) -> None:
    setting = SETTINGS[-1]
    setting.teacher(pad_token_id=None).save_pretrained(tmp_path)
    tokenizer(setting.family).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["pad_token_id"] is None
    assert making.load(setting.family, str(tmp_path), None, setting.head, seed=0).config.pad_token_id == 5


def test_t5_of_version_1_1_keeps_its_unscaled_head(tmp_path: Path) -> None:
    setting = next(s for s in SETTINGS if s.family.name == "t5")
    teacher = setting.teacher(feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    teacher.save_pretrained(tmp_path)
    loaded = making.load(setting.family, str(tmp_path), None, LANGUAGE_MODEL, seed=0)
    student = making.student_config(setting.family, loaded.config, 3, None)
    assert [c.scale_decoder_outputs for c in (teacher.config, loaded.config, student)] == [False, False, False]


def spoil_config(**changes: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda folder: shutil.rmtree(folder), "no model can be read there"),
        (lambda folder: (folder / "config.json").unlink(), "no model can be read there"),
        (lambda folder: (folder / "config.json").write_text("{"), "no model can be read there"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no model can be read there"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "no model can be read there"),
        (spoil_config(model_type="bart"), "got a model of type 'bart'; bert needs 'bert'"),
        (spoil_config(model_type="nonesuch"), "no model can be read there"),
        (spoil_config(hidden_size="16"), "no model can be read there"),
        (spoil_config(num_hidden_layers=7), "its weights lack 16 tensors of its config, bert.encoder.layer.6."),
        (spoil_config(type_vocab_size=3), "its weights lack 1 tensors"),
    ],
)
def test_a_folder_that_is_no_model(spoil: Callable[[Path], None], part: str, tmp_path: Path) -> None:
    setting = SETTINGS[0]
    setting.teacher().save_pretrained(tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(InputError) as caught:
        making.load(setting.family, str(tmp_path / "model"), None, setting.head, seed=0)
    [problem] = caught.value.problems
    assert problem.path == "model.teacher"
    assert part in problem.message
    assert "\n" not in problem.message


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_model_with_a_weight_that_is_not_finite(value: float) -> None:
    setting = SETTINGS[0]
    model: Any = setting.teacher()
    making.check_finite(model, "org/name")
    model.bert.pooler.dense.weight[1, 2] = value
    message = "^model.teacher: got 'org/name'; its weights hold NaN or infinity in bert.pooler.dense.weight$"
    with pytest.raises(InputError, match=message):
        making.check_finite(model, "org/name")


def test_a_teacher_for_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got bert, which has no language_model head; its heads are seq"):
        making.load(FAMILIES["bert"], str(tmp_path), None, LANGUAGE_MODEL, seed=0)
