"""What a family says of itself without torch, against transformers' own configs; golden tables of copied blocks."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
import transformers
from transformers import PreTrainedConfig

from tests.trainables.families.settings import ALIKE, SETTINGS
from trainables.errors import InputError
from trainables.families import FAMILIES, Family, making
from trainables.families.tiny import tokenizer
from trainables.heads import LANGUAGE_MODEL

# What the form of a model or the way it is run here decides, not a person's config.
DECIDED_HERE = {
    "is_encoder_decoder",
    "is_decoder",
    "add_cross_attention",
    "use_cache",
    "encoder_layerdrop",
    "decoder_layerdrop",
    "classifier_dropout",
}


@pytest.fixture(params=FAMILIES.values(), ids=lambda family: family.name)
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


def config_class(family: Family) -> type[PreTrainedConfig]:
    return getattr(transformers, family.config_class)


def test_importing_families_loads_neither_torch_nor_transformers() -> None:
    code = "import sys, trainables.families; print({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"


def test_every_family_has_a_setting_for_every_head() -> None:
    heads = {(family.name, head) for family in FAMILIES.values() for head in family.models}
    assert {(each.family.name, each.head_name) for each in [*SETTINGS, *ALIKE]} == heads


@pytest.mark.parametrize(
    ("name", "num_teacher", "num_student", "blocks"),
    [
        ("bert", 12, 3, [4, 8, 12]),
        ("bert", 12, 6, [2, 4, 6, 8, 10, 12]),
        ("bert", 12, 9, [2, 3, 4, 6, 7, 8, 10, 11, 12]),
        ("bert", 6, 3, [2, 4, 6]),
        ("bert", 4, 2, [2, 4]),
        ("bart", 12, 3, [4, 8, 12]),
        ("t5", 12, 1, [1]),
        ("t5", 12, 2, [1, 12]),
        ("t5", 12, 3, [1, 7, 12]),
        ("t5", 12, 4, [1, 5, 9, 12]),
        ("t5", 12, 6, [1, 3, 5, 8, 10, 12]),
        ("t5", 12, 9, [1, 2, 3, 6, 7, 8, 10, 11, 12]),
        ("t5", 6, 3, [2, 4, 6]),
        ("qwen3", 28, 7, [1, 5, 10, 14, 19, 23, 28]),
        ("qwen3", 40, 10, [1, 5, 10, 14, 19, 23, 28, 32, 36, 40]),
        ("qwen3", 36, 9, [1, 5, 10, 14, 19, 23, 28, 32, 36]),
        ("qwen3", 36, 12, [3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36]),
    ],
)
def test_copied_blocks(name: str, num_teacher: int, num_student: int, blocks: list[int]) -> None:
    assert FAMILIES[name].copied_blocks(num_teacher, num_student) == blocks


@pytest.mark.parametrize("width", [96, 384, 400, 576])
def test_a_narrower_t5_has_heads_of_a_twelfth_of_its_width(width: int) -> None:
    """As in the public code, whose T5-base has 12 heads; BERT's and BART's heads follow the width by themselves."""
    config = transformers.T5Config(d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)
    student = making.student_config(FAMILIES["t5"], config, 3, width)
    assert (student.d_model, student.d_kv, student.d_ff) == (width, width // 12, 4 * width)
    assert (student.num_heads, student.num_layers, student.num_decoder_layers) == (12, 3, 3)


@pytest.mark.parametrize("depth", [1, 6, 12, 36])
def test_a_student_of_full_depth_copies_every_block(family: Family, depth: int) -> None:
    assert family.copied_blocks(depth, depth) == list(range(1, depth + 1))


def test_config_fields_are_those_of_transformers(family: Family) -> None:
    # T5's own class declares neither; both are read by its model.
    undeclared = {"decoder_start_token_id", "tie_word_embeddings"} if family.name == "t5" else set()
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    own = {field.name for field in dataclasses.fields(config_class(family))} - inherited
    wanted = own - DECIDED_HERE | undeclared
    assert family.config_fields - {"classifier_dropout"} == wanted
    assert set(family.fixed_fields) | set(family.scratch_fields) | set(family.per_block_fields) <= own


@pytest.mark.parametrize(
    ("name", "config", "num_blocks", "width", "heads", "max_length"),
    [
        ("bert", {"num_hidden_layers": 5}, {"encoder": 5}, 768, {"num_attention_heads": 12}, 512),
        (
            "bart",
            {"encoder_layers": 5, "decoder_layers": 4, "d_model": 32},
            {"encoder": 5, "decoder": 4},
            32,
            {"encoder_attention_heads": 16, "decoder_attention_heads": 16},
            1024,
        ),
        ("t5", {"num_layers": 5}, {"encoder": 5, "decoder": 5}, 512, {"num_heads": 8}, None),
        (
            "t5",
            {"num_layers": 5, "num_decoder_layers": None},
            {"encoder": 5, "decoder": 5},
            512,
            {"num_heads": 8},
            None,
        ),
        ("t5", {"num_layers": 5, "num_decoder_layers": 4}, {"encoder": 5, "decoder": 4}, 512, {"num_heads": 8}, None),
        ("t5", {}, {"encoder": 6, "decoder": 6}, 512, {"num_heads": 8}, None),
        # RoBERTa's first position is one more than the pad token's id.
        ("roberta", {"num_hidden_layers": 5}, {"encoder": 5}, 768, {"num_attention_heads": 12}, 510),
        ("roberta", {"max_position_embeddings": 514}, {"encoder": 12}, 768, {"num_attention_heads": 12}, 512),
        (
            "roberta",
            {"max_position_embeddings": 40, "pad_token_id": 0},
            {"encoder": 12},
            768,
            {"num_attention_heads": 12},
            39,
        ),
        ("distilbert", {"n_layers": 5, "dim": 32}, {"encoder": 5}, 32, {"n_heads": 12}, 512),
        ("llama", {"num_hidden_layers": 5}, {"decoder": 5}, 4096, {"num_attention_heads": 32}, None),
        ("mistral", {"num_hidden_layers": 5}, {"decoder": 5}, 4096, {"num_attention_heads": 32}, None),
        ("qwen2", {"num_hidden_layers": 5}, {"decoder": 5}, 4096, {"num_attention_heads": 32}, None),
        ("qwen3", {"num_hidden_layers": 5}, {"decoder": 5}, 4096, {"num_attention_heads": 32}, None),
    ],
)
def test_shape(
    name: str, config: dict[str, Any], num_blocks: Any, width: int, heads: dict[str, int], max_length: int | None
) -> None:
    family = FAMILIES[name]
    assert family.num_blocks(config) == num_blocks
    assert family.width(config) == width
    assert family.heads(config) == heads
    assert family.max_length(config) == max_length


def test_templates_use_the_special_tokens(family: Family) -> None:
    known = set(family.special_tokens.values())
    for template in filter(None, (family.template_single, family.template_pair)):
        tokens = {piece.split(":")[0] for piece in template.split()} - {"$A", "$B"}
        assert tokens <= known


# Bad input.


@pytest.mark.parametrize(
    ("fields", "path", "part"),
    [
        ({"num_layerz": 2}, "model.teacher.config.num_layerz", "did you mean 'num_layers'?"),
        ({"dropout_rate": "much"}, "model.teacher.config", "dropout_rate"),
        ({"vocab_size": 10}, "model.teacher.config.vocab_size", "got 10; the tokenizer has 33 entries"),
    ],
)
def test_scratch_config_refuses(fields: dict[str, Any], path: str, part: str) -> None:
    family = FAMILIES["t5"]
    with pytest.raises(InputError) as caught:
        making.scratch_config(family, fields, tokenizer(family), LANGUAGE_MODEL)
    [problem] = caught.value.problems
    assert problem.path == path
    assert part in problem.message
