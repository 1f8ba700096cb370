"""What fits a family and what does not: heads, teachers, teachers from scratch, students."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tests.trainables.families.settings import Setting
from trainables.errors import Problem
from trainables.families import FAMILIES, fitting, making
from trainables.families.tiny import tokenizer
from trainables.heads import LANGUAGE_MODEL, Head


def test_a_head_that_the_family_has_not() -> None:
    message = "got t5, which has no token_classification head; its heads are language_model"
    assert fitting.head_problems(FAMILIES["t5"], "token_classification") == [Problem("model.family", message)]


READY = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}


def test_heads_that_are_there(setting: Setting) -> None:
    assert fitting.head_problems(setting.family, setting.head_name) == []


@pytest.mark.parametrize(
    ("config", "classes", "message"),
    [
        ({"model_type": "roberta"}, None, "got a model of type 'roberta'; bert needs 'bert'"),
        ({}, None, "got a model of type None; bert needs 'bert'"),
        (
            {"model_type": "bert", "architectures": ["BertModel"]},
            ["no", "yes"],
            "got a model without the task's head (BertForSequenceClassification); "
            "give finetune, or a fine-tuned teacher",
        ),
        (
            READY,
            ["no", "maybe", "yes"],
            "got a head of 2 outputs; the task needs 3: give finetune, or another teacher",
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
    ready = Head("sequence_classification", tuple(classes)) if classes else None
    problems = fitting.teacher_problems(FAMILIES["bert"], config, ready)
    assert problems == [Problem("model.teacher", message)]


def test_a_teacher_that_fits(setting: Setting) -> None:
    config = {
        "model_type": setting.family.model_type,
        "architectures": [setting.family.models[setting.head_name].name],
        "id2label": {"0": "a", "1": "b", "2": "c"},
    }
    assert fitting.teacher_problems(setting.family, config, setting.head) == []
    assert fitting.teacher_problems(setting.family, {**config, "architectures": None}) == []


@pytest.mark.parametrize(
    "names", [None, {"0": "LABEL_0", "1": "LABEL_1"}, {"0": "Negative", "1": "positive"}, {"0": "0", "1": "1"}]
)
def test_a_teachers_classes_are_the_tasks_or_have_names_of_their_own(names: dict[str, str] | None) -> None:
    config = {**READY, "id2label": names}
    ready = Head("sequence_classification", ("negative", "positive"))
    assert fitting.teacher_problems(FAMILIES["bert"], config, ready) == []


def test_a_teacher_from_scratch_shows_all_its_problems_at_once() -> None:
    problems = fitting.scratch_problems(
        FAMILIES["bert"], {"hidden_sise": 8, "num_hidden_layers": 0, "hidden_size": "8"}
    )
    assert problems == [
        Problem("model.teacher.config.hidden_sise", "got an unknown field of BertConfig; did you mean 'hidden_size'?"),
        Problem("model.teacher.config.hidden_size", "got '8'; expected a whole number of at least 1"),
        Problem("model.teacher.config.num_hidden_layers", "got 0; expected a whole number of at least 1"),
    ]


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        (
            "bert",
            {"hidden_size": 64, "num_attention_heads": 5},
            "hidden_size: got 64; expected a multiple of num_attention_heads, 5",
        ),
        (
            "bart",
            {"decoder_attention_heads": 3},
            "d_model: got 1024; expected a multiple of decoder_attention_heads, 3",
        ),
        (
            "qwen3",
            {"num_attention_heads": 4, "num_key_value_heads": 3},
            "num_attention_heads: got 4; expected a multiple of num_key_value_heads, 3",
        ),
        (
            "mistral",
            {"num_attention_heads": 4},
            "num_attention_heads: got 4; expected a multiple of num_key_value_heads, 8",
        ),
        (
            "llama",
            {"hidden_size": 50, "num_attention_heads": 4},
            "hidden_size: got 50; expected a multiple of num_attention_heads, 4",
        ),
        (
            "qwen2",
            {"hidden_size": 50, "num_attention_heads": 4},
            "hidden_size: got 50; expected a multiple of num_attention_heads, 4",
        ),
        ("distilbert", {"dim": 50, "n_heads": 4}, "dim: got 50; expected a multiple of n_heads, 4"),
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
    config: Any = making.scratch_config(family, fields, tokenizer(family), LANGUAGE_MODEL)
    assert config.num_key_value_heads == 3


def test_a_llama_config_without_key_heads_has_as_many_as_heads() -> None:
    """As the first Llamas' config.json: 40 heads are no multiple of any default."""
    assert (
        fitting.student_problems(FAMILIES["llama"], {"hidden_size": 5120, "num_attention_heads": 40}, 3, 2560, "random")
        == []
    )


def test_a_pad_token_of_id_0_is_no_size() -> None:
    assert fitting.scratch_problems(FAMILIES["roberta"], {"pad_token_id": 0}) == []


def test_a_t5_too_narrow_for_a_head() -> None:
    check = functools.partial(fitting.student_problems, FAMILIES["t5"], {"d_model": 768, "d_kv": 64})
    assert check(3, 12, "random") == []
    assert list(map(str, check(3, 11, "random"))) == [
        "model.student_width: got 11; expected at least 12, so that d_kv, which follows the width, is not 0"
    ]


def test_students_that_cannot_be_made() -> None:
    config = {"encoder_layers": 6, "decoder_layers": 3, "d_model": 32}
    check = functools.partial(fitting.student_problems, FAMILIES["bart"])
    assert check(config, 3, None, "teacher") == check(config, 3, 32, "teacher") == check(config, 3, 48, "random") == []
    assert list(map(str, check(config, 4, 24, "teacher"))) == [
        "model.student_blocks: got 4; the teacher's decoder has 3 blocks",
        "model.student_width: got 24 with init: teacher; weights can be copied to the teacher's 32 only",
        "model.student_width: got 24; expected a multiple of encoder_attention_heads, 16",
        "model.student_width: got 24; expected a multiple of decoder_attention_heads, 16",
    ]
