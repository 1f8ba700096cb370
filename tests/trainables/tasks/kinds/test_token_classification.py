"""Labels stand at the first tokens of words, spelled out; entity F1 against the rules of conlleval, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.trainables.tasks.kinds.tokens import codec, words
from trainables.config import TokenizerConfig
from trainables.errors import InputError, Problem
from trainables.families import FAMILIES
from trainables.tasks import read
from trainables.tasks.codec import IGNORED, Codec
from trainables.tasks.kinds.token_classification import TokenClassification, TokenClassificationRow, entity_f1
from trainables.tasks.tokenizer import train_tokenizer

KIND = TokenClassification()
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def row(*pairs: tuple[str, int]) -> TokenClassificationRow:
    return TokenClassificationRow(tuple(word for word, _ in pairs), tuple(label for _, label in pairs))


def pieces(family: str, **fields: Any) -> Codec:
    """A codec whose tokenizer knows no word longer than two letters."""
    one = codec(family, "token_classification", text=["words"], **fields)
    trained = train_tokenizer(TokenizerConfig(kind="byte_bpe", vocab_size=270), FAMILIES[family], ["ab ba abba"])
    return Codec(one.task, one.form, trained)


def labelled(each: Codec, *pairs: tuple[str, int]) -> list[tuple[str, int]]:
    """The tokens that have a label, with it."""
    (example,) = KIND.encode([row(*pairs)], each)
    tokens = words(each, example["input_ids"]).split(" ")
    assert len(tokens) == len(example["token_labels"])
    return [pair for pair in zip(tokens, example["token_labels"], strict=True) if pair[1] != IGNORED]


@pytest.mark.parametrize("family", ["bert", "roberta", "llama", "qwen3"])
def test_a_label_stands_at_the_first_piece_of_its_word(family: str) -> None:
    found = labelled(pieces(family), ("abcd", 1), ("x", 2), ("bazzz", 0))
    assert [label for _, label in found] == [1, 2, 0]
    assert [token[0] for token, _ in found] == ["a", "x", "b"]


def test_each_word_of_a_known_vocabulary_is_one_token() -> None:
    bert = codec("bert", "token_classification", text=["words"])
    (example,) = KIND.encode([row(("a", 1), ("b", 2), ("c", 0))], bert)
    assert words(bert, example["input_ids"]) == "[CLS] a b c [SEP]"
    assert example == {
        "input_ids": example["input_ids"],
        "token_labels": [IGNORED, 1, 2, 0, IGNORED],
        "words": [0, 1, 2],
    }


def test_the_text_that_is_read_is_that_of_the_words() -> None:
    """As a pipeline reads it, which is given the text: no other tokens than the text's own."""
    for family in ("bert", "roberta", "llama", "qwen3"):
        each = pieces(family)
        (example,) = KIND.encode([row(("abba", 1), ("x", 2))], each)
        assert example["input_ids"] == each.tokenizer("abba x")["input_ids"]


def test_a_word_with_a_space_and_one_of_nothing() -> None:
    found = labelled(pieces("bert"), ("ab ba", 1), ("", 2), ("x", 3))
    assert [label for _, label in found] == [1, 3]


def test_words_that_are_cut_off_or_vanish_are_said_to_be_unread() -> None:
    bert = codec("bert", "token_classification", text=["words"], max_length=4)
    asked = [row(("a", 0), ("", 0), ("b", 0), ("c", 0), ("d", 0))]
    # Every labelled token is given the class of its number among them, from 1.
    found = KIND.predict(asked, KIND.questions(asked, bert), [np.eye(9)[1:3]])
    assert found == [[1, -1, 2, -1, -1]]
    assert KIND.shown(found, TAGS) == [["B-PER", None, "I-PER", None, None]]
    # B-PER, then I-PER: one entity, whose second word was not read, is another one than the right one.
    right = [row(("a", 1), ("", 2), ("b", 0), ("c", 0), ("d", 0))]
    assert KIND.score(right, [[1, -1, 0, -1, -1]], TAGS) == {"f1": 0.0, "accuracy": 2 / 5}
    assert KIND.score([row(("a", 1), ("b", 0))], [[1, -1]], TAGS) == {"f1": 1.0, "accuracy": 1 / 2}


@pytest.mark.parametrize(
    ("right", "given", "f1"),
    [
        ("B-PER I-PER O", "B-PER I-PER O", 1.0),
        ("B-PER I-PER O", "B-PER O O", 0.0),  # a part is no entity
        ("B-PER I-PER O", "B-LOC I-LOC O", 0.0),  # nor is one of another type
        ("B-PER O B-LOC", "B-PER O O", 2 / 3),
        ("B-PER B-PER O", "B-PER I-PER O", 0.0),  # two beside each other are not one
        ("B-PER I-PER O", "I-PER I-PER O", 1.0),  # an I- that follows nothing begins one
        ("I-PER I-PER B-PER", "I-PER I-PER B-PER", 1.0),  # IOB1
        ("B-PER E-PER S-LOC", "B-PER E-PER S-LOC", 1.0),  # IOBES
        ("O O O", "O O O", 0.0),
        ("O O O", "B-PER O O", 0.0),
    ],
)
def test_entities_are_counted_as_conlleval_counts_them(
    right: str, given: str, f1: float, recwarn: pytest.WarningsRecorder
) -> None:
    assert entity_f1([right.split()], [given.split()]) == pytest.approx(f1)
    assert not recwarn.list


def test_entities_are_counted_over_all_rows() -> None:
    """Two found of three that are there and of four that are given: not the mean of the rows."""
    rows = [row(("a", 1), ("b", 2), ("c", 3)), row(("a", 1), ("b", 0))]
    predicted = [[1, 2, 1], [1, 3]]
    assert KIND.score(rows, predicted, TAGS) == {"f1": pytest.approx(2 * 2 / (3 + 4)), "accuracy": 3 / 5}


def test_classes_that_are_no_tags_have_an_accuracy_alone(write: Any) -> None:
    records = [{"words": "the dog", "label": "DET NOUN"}]
    tagged = {"kind": "token_classification", "text": ["words"]}
    with pytest.raises(InputError) as error:
        read(write(records, **tagged))
    assert str(error.value).startswith(
        "classes: got DET, NOUN; f1 needs tags of entities, such as O, B-PER and I-PER: "
    )
    data = read(write(records, metric="accuracy", **tagged))
    assert KIND.score(data.test, [[0, 0]], data.classes) == {"accuracy": 1 / 2}  # type: ignore[arg-type]


def test_numbers_are_tags_where_the_config_names_them(write: Any) -> None:
    tagged = {"kind": "token_classification", "text": ["words"], "classes": ["O", "B-PER", "I-PER"]}
    data = read(write([{"words": ["a", "b"], "label": [1, 2]}], **tagged))
    assert data.train == [row(("a", 1), ("b", 2))]


@pytest.mark.parametrize("text", [None, ["one", "two"]])
def test_the_words_are_in_one_field(write: Any, text: list[str] | None) -> None:
    given = ", ".join(text) if text else "null"
    assert KIND.check(write([], kind="token_classification", text=text)) == [
        Problem("text", f"got {given}; token_classification needs one field, which holds the words")
    ]


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (TokenClassificationRow((), ()), "0 words and 0 labels; expected one or more words, each with a label"),
        (
            TokenClassificationRow(("a", "b"), (0,)),
            "2 words and 1 labels; expected one or more words, each with a label",
        ),
        (TokenClassificationRow(("a",), (5,)), "the label 5; it has 5 classes"),
        (row(("a", 4)), None),
    ],
)
def test_a_row_of_a_generator(faulty: TokenClassificationRow, said: str | None) -> None:
    assert KIND.fault(faulty, TAGS) == said
