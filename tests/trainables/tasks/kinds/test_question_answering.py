"""Prompts spelled out; exact match and F1 by hand, and against the official definition written out."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainables.tasks.kinds.tokens import codec, words
from trainables.tasks import read
from trainables.tasks.kinds.question_answering import (
    QuestionAnswering,
    QuestionRow,
    exact_match,
    normalised,
    prompt,
    word_f1,
)

KIND = QuestionAnswering()
COQA = {
    "story": "Once a cat sat.",
    "questions": ["Who sat?", "Where?", "Why?"],
    "answers": {"input_text": ["a cat", "here", "it was tired"], "answer_start": [0, 0, 0], "answer_end": [1, 1, 1]},
}
LAST = QuestionRow("story one", (("a ?", "b"), ("c ?", "d")), "e ?", ("f g",))


def test_every_question_has_its_own_answer_the_last_one_too(write: Any) -> None:
    rows = read(write([COQA], kind="question_answering", answers="answers.input_text")).train
    assert [row.answers for row in rows] == [("a cat",), ("here",), ("it was tired",)]
    assert prompt(rows[0]) == "Once a cat sat.\n\nQ: Who sat?\n\nA:"
    assert prompt(rows[2]) == ("Once a cat sat.\n\nQ: Who sat?\n\nA: a cat\n\nQ: Where?\n\nA: here\n\nQ: Why?\n\nA:")


def test_several_references(write: Any) -> None:
    record = {**COQA, "answers": [["a cat", "the cat"], "here", ["tired", "it was"]]}
    rows = read(write([record], kind="question_answering")).train
    assert [row.answers for row in rows] == [("a cat", "the cat"), ("here",), ("tired", "it was")]
    assert rows[2].history == (("Who sat?", "a cat"), ("Where?", "here"))
    assert KIND.score(rows, ["cat", "there", "it is"]) == {"exact_match": 1 / 3, "f1": pytest.approx((1 + 0 + 0.5) / 3)}


@pytest.mark.parametrize(
    ("family", "inputs", "labels"),
    [
        ("qwen3", "story one Q : a ? A : b Q : c ? A : d Q : e ? A : f g <|endoftext|>", "f g <|endoftext|>"),
        ("t5", "story one Q : a <unk> A : b Q : c <unk> A : d Q : e <unk> A : </s>", "f g </s>"),
    ],
)
def test_the_answer_follows_story_and_history(family: str, inputs: str, labels: str) -> None:
    each = codec(family, "question_answering")
    (example,) = KIND.encode([LAST], each)
    assert words(each, example["input_ids"]).replace("Ċ", "").split() == inputs.split()
    assert words(each, example["labels"]).replace("_", "").split() == labels.split()


@pytest.mark.parametrize("family", ["qwen3", "llama", "t5", "bart"])
def test_what_is_too_long_is_cut_from_the_story(family: str) -> None:
    each = codec(family, "question_answering", max_length=9)
    (example,) = KIND.encode([LAST], each)
    assert KIND.predict([LAST], [], [" f g \nQ: more"]) == ["f g"]
    assert len(example["input_ids"]) <= 9
    assert "story" not in words(each, example["input_ids"])
    assert "f g" in words(each, example["labels"])
    (prompt_ids,) = (words(each, ids["input_ids"]).replace("</s>", "").split() for ids in KIND.questions([LAST], each))
    assert prompt_ids[-2:] == ["A", ":"]
    begins = family in ("llama", "bart")
    assert ("<s>" == words(each, example["input_ids"]).split()[0] == prompt_ids[0]) == begins


@pytest.mark.parametrize(
    ("answer", "text", "exact", "f1"),
    [
        ("The cat!", "a  Cat", 1.0, 1.0),
        ("in the house", "house", 0.0, 2 * (1 / 1) * (1 / 2) / (1 / 1 + 1 / 2)),
        ("red red fish", "red fish fish", 0.0, 2 / 3),
        ("yes", "no", 0.0, 0.0),
        ("the", "", 1.0, 1.0),
        ("cat", "", 0.0, 0.0),
        ("theatre", "atre", 0.0, 0.0),
    ],
)
def test_the_official_normalisation(answer: str, text: str, exact: float, f1: float) -> None:
    assert exact_match(answer, text) == exact
    assert word_f1(answer, text) == pytest.approx(f1)


TEXT = st.text(alphabet=st.sampled_from("aAntheT .,!'-cé "), max_size=20)


def official_tokens(text: str) -> list[str]:
    """The steps of CoQA's evaluation, one at a time."""
    text = text.lower()
    for mark in string.punctuation:
        text = text.replace(mark, "")
    for article in ("an", "a", "the"):
        text = re.sub(rf"\b{article}\b", " ", text)
    return text.split()


@given(TEXT, TEXT)
def test_against_the_definition(answer: str, text: str) -> None:
    wanted, found = official_tokens(answer), official_tokens(text)
    assert normalised(answer) == " ".join(wanted)
    assert exact_match(answer, text) == (1.0 if wanted == found else 0.0)
    rest, num_common = list(wanted), 0
    for word in found:
        if word in rest:
            rest.remove(word)
            num_common += 1
    if not wanted or not found:
        f1 = 1.0 if wanted == found else 0.0
    elif num_common == 0:
        f1 = 0.0
    else:
        precision, recall = num_common / len(found), num_common / len(wanted)
        f1 = 2 * precision * recall / (precision + recall)
    assert word_f1(answer, text) == pytest.approx(f1)
