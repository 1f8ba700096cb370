"""What a family says of itself without torch, against transformers' own configs; golden tables of copied blocks."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import sys
from typing import Any

import pytest
import transformers
from transformers import PreTrainedConfig

from tests.trainables.families.settings import SETTINGS, Setting
from trainables.errors import InputError, Problem
from trainables.families import FAMILIES, Family, fitting
from trainables.families.tiny import tokenizer

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


def test_every_family_has_a_setting_for_every_model() -> None:
    assert {(s.family.name, s.family.models[s.kind]) for s in SETTINGS} == {
        (f.name, model) for f in FAMILIES.values() for model in f.models.values()
    }


@pytest.mark.parametrize(
    ("name", "num_teacher", "num_student", "blocks"),
    [
        ("bert", 12, 3, [4, 8, 12]),
        ("bert", 12, 6, [2, 4, 6, 8, 10, 12]),
        ("bert", 12, 9, [2, 3, 4, 6, 7, 8, 10, 11, 12]),
        ("bert", 6, 3, [2, 4, 6]),
        ("bert", 4, 2, [2, 4]),
        ("bart", 12, 3, [4, 8, 12]),
        ("t5", 12, 3, [1, 7, 12]),
        ("t5", 12, 6, [1, 3, 5, 8, 10, 12]),
        ("t5", 12, 9, [1, 2, 3, 6, 7, 8, 10, 11, 12]),
        ("t5", 6, 3, [2, 4, 6]),
        ("qwen3", 36, 9, [1, 5, 10, 14, 19, 23, 28, 32, 36]),
        ("qwen3", 36, 12, [3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36]),
    ],
)
def test_copied_blocks(name: str, num_teacher: int, num_student: int, blocks: list[int]) -> None:
    assert FAMILIES[name].copied_blocks(num_teacher, num_student) == blocks


@pytest.mark.parametrize("depth", [1, 6, 12, 36])
def test_a_student_of_full_depth_copies_every_block(family: Family, depth: int) -> None:
    assert family.copied_blocks(depth, depth) == list(range(1, depth + 1))


def test_defaults_are_those_of_transformers(family: Family) -> None:
    config = config_class(family)()
    assert family.defaults == {key: getattr(config, key) for key in family.defaults}


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


LM_KINDS = "generation, multiple_choice and question_answering"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("bert", "generation", "got bert for a generation task; bert serves classification"),
        ("bart", "classification", f"got bart for a classification task; bart serves {LM_KINDS}"),
        ("t5", "classification", f"got t5 for a classification task; t5 serves {LM_KINDS}"),
        (
            "qwen3",
            "parsing",
            f"got qwen3 for a parsing task; qwen3 serves {', '.join(LM_KINDS.split(' and '))} and classification",
        ),
    ],
)
def test_a_kind_that_the_family_does_not_serve(name: str, kind: str, message: str) -> None:
    assert fitting.kind_problems(FAMILIES[name], kind) == [Problem("model.family", message)]


READY = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}


def test_kinds_that_are_served(setting: Setting) -> None:
    assert fitting.kind_problems(setting.family, setting.kind) == []


@pytest.mark.parametrize(
    ("config", "classes", "message"),
    [
        ({"model_type": "roberta"}, None, "got a model of type 'roberta'; bert needs 'bert'"),
        ({}, None, "got a model of type None; bert needs 'bert'"),
        (
            {"model_type": "bert", "architectures": ["BertModel"]},
            ["no", "yes"],
            "got a model without a classifier (BertForSequenceClassification); give finetune, or a fine-tuned teacher",
        ),
        (
            READY,
            ["no", "maybe", "yes"],
            "got a classifier of 2 classes; the task has 3: give finetune, or another teacher",
        ),
        (
            {**READY, "id2label": {"0": "Positive", "1": "NEGATIVE"}},
            ["negative", "positive"],
            "got the classes Positive, NEGATIVE; the task's are negative, positive, in this order: "
            "give task.classes and the labels in the teacher's order, or finetune",
        ),
        (
            {**READY, "id2label": {"1": "neutral", "0": "contradiction", "2": "entailment"}},
            ["entailment", "neutral", "contradict"],
            "got the classes contradiction, neutral, entailment; the task's are entailment, neutral, contradict, "
            "in this order: give task.classes and the labels in the teacher's order, or finetune",
        ),
    ],
)
def test_a_teacher_that_does_not_fit(config: dict[str, Any], classes: list[str] | None, message: str) -> None:
    problems = fitting.teacher_problems(FAMILIES["bert"], config, "classification", classes)
    assert problems == [Problem("model.teacher", message)]


def test_a_teacher_that_fits(setting: Setting) -> None:
    config = {
        "model_type": setting.family.model_type,
        "architectures": [setting.family.models[setting.kind]],
        "id2label": {"0": "a", "1": "b", "2": "c"},
    }
    assert fitting.teacher_problems(setting.family, config, setting.kind, ["a", "b", "c"]) == []
    assert fitting.teacher_problems(setting.family, {**config, "architectures": None}, setting.kind) == []


@pytest.mark.parametrize(
    "names", [None, {"0": "LABEL_0", "1": "LABEL_1"}, {"0": "Negative", "1": "positive"}, {"0": "0", "1": "1"}]
)
def test_a_teachers_classes_are_the_tasks_or_have_names_of_their_own(names: dict[str, str] | None) -> None:
    config = {**READY, "id2label": names}
    assert fitting.teacher_problems(FAMILIES["bert"], config, "classification", ["negative", "positive"]) == []


def test_a_teacher_from_scratch_shows_all_its_problems_at_once() -> None:
    problems = fitting.scratch_problems(
        FAMILIES["bert"], {"hidden_sise": 8, "num_hidden_layers": 0, "hidden_size": "8"}
    )
    assert problems == [
        Problem("model.teacher.config.hidden_sise", "no such field of BertConfig; did you mean 'hidden_size'?"),
        Problem("model.teacher.config.hidden_size", "got '8'; a whole number of at least 1"),
        Problem("model.teacher.config.num_hidden_layers", "got 0; a whole number of at least 1"),
    ]


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        (
            "bert",
            {"hidden_size": 64, "num_attention_heads": 5},
            "hidden_size: got 64; a multiple of num_attention_heads, 5",
        ),
        ("bart", {"decoder_attention_heads": 3}, "d_model: got 1024; a multiple of decoder_attention_heads, 3"),
        (
            "qwen3",
            {"num_attention_heads": 4, "num_key_value_heads": 3},
            "num_attention_heads: got 4; a multiple of num_key_value_heads, 3",
        ),
        ("mistral", {"num_attention_heads": 4}, "num_attention_heads: got 4; a multiple of num_key_value_heads, 8"),
        (
            "llama",
            {"hidden_size": 50, "num_attention_heads": 4},
            "hidden_size: got 50; a multiple of num_attention_heads, 4",
        ),
        (
            "qwen2",
            {"hidden_size": 50, "num_attention_heads": 4},
            "hidden_size: got 50; a multiple of num_attention_heads, 4",
        ),
        ("distilbert", {"dim": 50, "n_heads": 4}, "dim: got 50; a multiple of n_heads, 4"),
    ],
)
def test_heads_that_do_not_divide(name: str, fields: dict[str, Any], message: str) -> None:
    assert list(map(str, fitting.scratch_problems(FAMILIES[name], fields))) == [f"model.teacher.config.{message}"]


def test_a_teacher_from_scratch_that_is_right(setting: Setting) -> None:
    assert fitting.scratch_problems(setting.family, setting.config) == []


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3"])
def test_a_decoder_from_scratch_has_as_many_key_heads_as_heads(name: str) -> None:
    family = FAMILIES[name]
    fields = {"hidden_size": 18, "num_attention_heads": 3, "num_hidden_layers": 1}
    assert fitting.scratch_problems(family, fields) == []
    config: Any = family.scratch_config(fields, tokenizer(family), 2, "generation")
    assert config.num_key_value_heads == 3


def test_a_llama_config_without_key_heads_has_as_many_as_heads() -> None:
    """As the first Llamas' config.json: 40 heads are no multiple of any default."""
    assert (
        fitting.student_problems(FAMILIES["llama"], {"hidden_size": 5120, "num_attention_heads": 40}, 3, 2560, "random")
        == []
    )


def test_a_pad_token_of_id_0_is_no_size() -> None:
    assert fitting.scratch_problems(FAMILIES["roberta"], {"pad_token_id": 0}) == []


def test_students_that_cannot_be_made() -> None:
    config = {"encoder_layers": 6, "decoder_layers": 3, "d_model": 32}
    check = functools.partial(fitting.student_problems, FAMILIES["bart"])
    assert check(config, 3, None, "teacher") == check(config, 3, 32, "teacher") == check(config, 3, 48, "random") == []
    assert list(map(str, check(config, 4, 24, "teacher"))) == [
        "model.student_blocks: got 4; the teacher's decoder has 3 blocks",
        "model.student_width: got 24 with init: teacher; weights can be copied to the teacher's 32 only",
        "model.student_width: got 24; a multiple of encoder_attention_heads, 16",
        "model.student_width: got 24; a multiple of decoder_attention_heads, 16",
    ]


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
        family.scratch_config(fields, tokenizer(family), 2, "generation")
    [problem] = caught.value.problems
    assert problem.path == path
    assert part in problem.message
