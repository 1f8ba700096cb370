"""Contexts and choices spelled out, and scores worked by hand; against lm-evaluation-harness in test_lm_eval.py."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.trainables.tasks.kinds.tokens import codec, words
from trainables.errors import InputError
from trainables.tasks import read
from trainables.tasks.kinds.multiple_choice import MultipleChoice, MultipleChoiceRow

KIND = MultipleChoice()
HELLASWAG = {
    "activity_label": "Making tea",
    "ctx_a": "[header] How to make tea [title] Boil water.",
    "ctx_b": "a Person",
    "endings": ["[step] pours  it.", "drinks", "eats", "runs"],
    "label": "1",
}
COMMONSENSE = {
    "question": " Where is a cat ",
    "choices": {"label": ["A", "B", "C"], "text": ["house", "sea", "sky"]},
    "answerKey": "C",
}
COMMONSENSE_FIELDS = {
    "context": "question",
    "choices": "choices.text",
    "choice_labels": "choices.label",
    "label": "answerKey",
}


def problems(task: Any) -> list[str]:
    with pytest.raises(InputError) as error:
        read(task)
    return [re.sub(r"/\S*/", "", str(problem)) for problem in error.value.problems]


def test_hellaswag(write: Any) -> None:
    task = write([HELLASWAG], kind="multiple_choice", choice_format="hellaswag", choices="endings")
    (row,) = read(task).test
    assert row == MultipleChoiceRow(
        "Making tea: How to make tea. Boil water. A person", (" pours it.", "drinks", "eats", "runs"), 1
    )


def test_commonsense_qa(write: Any) -> None:
    (plain,) = read(write([COMMONSENSE], kind="multiple_choice", **COMMONSENSE_FIELDS)).test
    assert plain == MultipleChoiceRow(" Where is a cat ", ("house", "sea", "sky"), 2)
    task = write([COMMONSENSE], kind="multiple_choice", choice_format="lettered", **COMMONSENSE_FIELDS)
    context = "Question: Where is a cat\nA. house\nB. sea\nC. sky\nAnswer:"
    assert read(task).test == [MultipleChoiceRow(context, ("A", "B", "C"), 2)]


def test_letters_where_the_data_has_none(write: Any) -> None:
    record = {"context": "which", "choices": ["x", "y"], "label": 1}
    (row,) = read(write([record], kind="multiple_choice", choice_format="lettered")).test
    assert row == MultipleChoiceRow("Question: which\nA. x\nB. y\nAnswer:", ("A", "B"), 1)


@pytest.mark.parametrize(
    ("label", "says"),
    [
        (4, "the labels are 0 to 3, as there are 4 choices (row 2: 4)"),
        (-1, "the labels are 0 to 3, as there are 4 choices (row 2: -1)"),
        ("4", "the labels are 0 to 3, as there are 4 choices (row 2: '4')"),
        (True, "the labels are 0 to 3, as there are 4 choices (row 2: True)"),
        (1.0, "the labels are 0 to 3, as there are 4 choices (row 2: 1.0)"),
        ("", "a label is needed, and '' is none; give a split with labels (row 2: '')"),
        (None, "a value is needed, not null (row 2)"),
    ],
)
def test_a_label_out_of_range(write: Any, label: Any, says: str) -> None:
    test = [HELLASWAG, {**HELLASWAG, "label": label}]
    task = write([HELLASWAG], test=test, kind="multiple_choice", choice_format="hellaswag", choices="endings")
    assert problems(task) == [f"label: got 'label'; test.jsonl: {says}"]


def test_a_label_that_is_none_of_the_marks(write: Any) -> None:
    test = [{**COMMONSENSE, "answerKey": "D"}, {**COMMONSENSE, "choices": {"label": ["A"], "text": ["a", "b"]}}]
    task = write([COMMONSENSE], test=test, kind="multiple_choice", **COMMONSENSE_FIELDS)
    assert problems(task) == [
        "label: got 'answerKey'; test.jsonl: the labels are A, B, C (row 1: 'D')",
        "choice_labels: got 'choices.label'; test.jsonl: as many labels as choices are needed (row 2: 1 for 2)",
        "label: got 'answerKey'; test.jsonl: the labels are A (row 2: 'C')",
    ]


def test_a_nested_field_that_is_not_there(write: Any) -> None:
    task = write([COMMONSENSE], kind="multiple_choice", **{**COMMONSENSE_FIELDS, "choices": "choices.words"})
    assert problems(task)[0] == (
        "choices: got 'choices.words'; train.jsonl: there is no such field (row 1: it has question, choices, answerKey)"
    )


@pytest.mark.parametrize(
    ("family", "max_length", "inputs", "labels"),
    [
        ("qwen3", 20, "a b c e f", "_ _ _ e f"),
        ("qwen3", 4, "b c e f", "_ _ e f"),
        ("qwen3", 2, "c e", "_ e"),
        ("qwen3", 1, "c e", "_ e"),
        ("llama", 20, "<s> a b c e f", "_ _ _ _ e f"),
        ("llama", 5, "<s> b c e f", "_ _ _ e f"),
        ("llama", 3, "<s> e f", "_ e f"),
        ("llama", 2, "<s> e", "_ e"),
        ("t5", 20, "a b c </s>", "e f"),
        ("t5", 3, "b c </s>", "e f"),
        ("bart", 20, "<s> a b c </s>", "e f"),
        ("bart", 4, "<s> b c </s>", "e f"),
    ],
)
def test_the_right_choice_is_learnt_as_a_completion(family: str, max_length: int, inputs: str, labels: str) -> None:
    each = codec(family, "multiple_choice", max_length=max_length)
    (example,) = KIND.encode([MultipleChoiceRow("a b c", ("d", "e f"), 1)], each)
    assert words(each, example["input_ids"]) == inputs
    assert words(each, example["labels"]) == labels


def test_neither_context_nor_choice_is_empty() -> None:
    each = codec("qwen3", "multiple_choice")
    (example,) = KIND.encode([MultipleChoiceRow("", ("a", "b"), 0)], each)
    assert words(each, example["input_ids"]).split() == ["<|endoftext|>", "a"]
    each = codec("llama", "multiple_choice")
    (example,) = KIND.encode([MultipleChoiceRow("", ("a", "b"), 0)], each)
    assert words(each, example["input_ids"]).split() == ["<s>", "a"]


def test_the_normalised_score_is_by_characters() -> None:
    # Sums: 0 is likeliest. By characters: -4/1, -6/6 (bytes: -6/7) and -5/3, so 1 is.
    rows = [MultipleChoiceRow("", ("x", "caffè!", "abc"), label) for label in (0, 1, 2)]
    sums = [[-4.0, -6.0, -5.0]] * 3
    assert KIND.score(rows[:1], sums[:1]) == {"accuracy": 1.0, "accuracy_norm": 0.0}
    assert KIND.score(rows, sums) == {"accuracy": 1 / 3, "accuracy_norm": 1 / 3}
    # -7.3 / 6 characters is below -3.6 / 3, -7.3 / 7 bytes would be above.
    assert KIND.score(rows[2:], [[-4.0, -7.3, -3.6]]) == {"accuracy": 1.0, "accuracy_norm": 1.0}
