"""Parameters counted from a config are those of the model that transformers makes of it, to the last one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from tests.trainables.families.settings import SETTINGS, Setting
from trainables.config import LoraConfig
from trainables.families import FAMILIES, adapters, counts, making
from trainables.families.tiny import Tiny, head, shape
from trainables.heads import HeadName

QWEN3_8B = {
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "tie_word_embeddings": False,
}
ODD: list[tuple[str, HeadName, dict[str, Any]]] = [
    ("bert", "sequence_classification", {"type_vocab_size": 3, "intermediate_size": 40}),
    ("roberta", "sequence_classification", {"type_vocab_size": 1}),
    ("distilbert", "sequence_classification", {"sinusoidal_pos_embds": True}),
    ("bart", "language_model", {"encoder_layers": 2, "decoder_layers": 5, "decoder_ffn_dim": 24}),
    ("bart", "language_model", {"tie_word_embeddings": False}),
    ("t5", "language_model", {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "d_kv": 3}),
    ("t5", "language_model", {"num_decoder_layers": 2, "relative_attention_num_buckets": 12}),
    (
        "llama",
        "language_model",
        {"attention_bias": True, "mlp_bias": True, "head_dim": 6, "tie_word_embeddings": False},
    ),
    ("llama", "sequence_classification", {"head_dim": None, "num_key_value_heads": 1}),
    ("mistral", "language_model", {"head_dim": 10, "tie_word_embeddings": True}),
    ("qwen2", "language_model", {"num_key_value_heads": 4, "tie_word_embeddings": True}),
    ("qwen2", "language_model", {"tie_word_embeddings": False}),
    ("qwen3", "language_model", {"attention_bias": True, "head_dim": 2, "tie_word_embeddings": False}),
    ("qwen3", "sequence_classification", {"attention_bias": True, "head_dim": 12}),
]
REAL: list[tuple[str, HeadName, dict[str, Any], int]] = [
    # BERT-base with two classes; the others are known by their size in millions.
    ("bert", "sequence_classification", {}, 109_483_778),
    ("bart", "language_model", {}, 406_291_456),
    ("t5", "language_model", {"d_model": 768, "num_layers": 12, "num_heads": 12, "d_ff": 3072}, 222_903_552),
    ("qwen3", "language_model", QWEN3_8B, 8_190_735_360),
]


def of_transformers(model: Any) -> int:
    """Its own count, tied weights once."""
    return model.num_parameters()


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_tiny_model_has_as_many(setting: Setting) -> None:
    model = setting.teacher()
    counted = counts.count(setting.family, model.config.to_dict(), setting.head)
    assert counted.total == of_transformers(model)


@pytest.mark.parametrize(("name", "name_of_head", "fields"), ODD)
def test_an_odd_model_has_as_many(name: str, name_of_head: HeadName, fields: dict[str, Any]) -> None:
    tiny = Tiny(FAMILIES[name], name_of_head, {**shape(FAMILIES[name]), **fields})
    model = tiny.teacher()
    given = {**tiny.family.scratch_fields, **tiny.config, "vocab_size": model.config.vocab_size}
    counted = counts.count(tiny.family, given, tiny.head)
    assert counted.total == of_transformers(model)
    assert counts.count(tiny.family, model.config.to_dict(), tiny.head) == counted


@pytest.mark.parametrize(("name", "name_of_head", "fields", "known"), REAL)
def test_a_published_shape_has_as_many(name: str, name_of_head: HeadName, fields: dict[str, Any], known: int) -> None:
    family = FAMILIES[name]
    config = getattr(transformers, family.config_class)(**fields)
    with torch.device("meta"):
        model = getattr(transformers, family.models[name_of_head].name)(config)
    assert of_transformers(model) == known
    assert counts.count(family, fields, head(name_of_head, 2)).total == known


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("width", [None, 8])
def test_a_student_has_as_many(setting: Setting, width: int | None) -> None:
    config = setting.teacher().config
    student = making.build(
        setting.family, making.student_config(setting.family, config, 2, width), setting.head_name, seed=0
    )
    made = counts.student_shape(setting.family, config.to_dict(), 2, width)
    assert counts.count(setting.family, made, setting.head).total == of_transformers(student)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_adapters_have_as_many(setting: Setting) -> None:
    ends = [name.rpartition(".")[2] for name in setting.family.linears]
    for targets in (None, [setting.family.linears[0].rpartition(".")[2]], [ends[-1]]):
        model = setting.teacher()
        lora = LoraConfig(r=3, targets=targets)
        adapters.add(setting.family, model, lora, "model.lora.teacher", 0)
        added = sum(p.numel() for name, p in model.named_parameters() if ".lora_" in name)
        assert counts.lora(setting.family, model.config.to_dict(), 3, targets) == added


def test_the_parts_of_bert_base_by_hand() -> None:
    block = 4 * (768 * 768 + 768) + (768 * 3072 + 3072) + (3072 * 768 + 768) + 2 * 2 * 768
    counted = counts.count(FAMILIES["bert"], {}, head("sequence_classification", 2))
    assert counted.blocks == 12 * block
    assert counted.embeddings == (30522 + 512 + 2) * 768
    assert counted.rest == 2 * 768
    assert counted.head == 768 * 769 + 2 * 769
