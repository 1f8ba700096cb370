"""Vocabularies of tokenizer.json files, where two differ, and logits of unlike padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models

from trainables.losses import kl_sum
from trainables.vocabularies import beyond, differences, first, shared, size, vocabulary


@pytest.mark.parametrize(
    ("tokenizer", "tokens"),
    [
        ({"model": {"vocab": {"a": 0, "b": 1}}}, {"a": 0, "b": 1}),
        ({"model": {"vocab": [["<s>", 0.0], ["a", -2.5]]}}, {"<s>": 0, "a": 1}),
        (
            {"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": 3, "content": "<|end|>"}]},
            {"a": 0, "<|end|>": 3},
        ),
        ({}, {}),
    ],
)
def test_the_vocabulary_of_a_tokenizer(tokenizer: dict[str, object], tokens: dict[str, int]) -> None:
    assert vocabulary(tokenizer) == tokens
    assert size(tokens) == max([index + 1 for index in tokens.values()], default=0)


def test_it_is_that_of_the_library() -> None:
    import json

    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    words.add_special_tokens(["<end>"])
    assert vocabulary(json.loads(words.to_str())) == words.get_vocab() == {"a": 0, "b": 1, "<end>": 2}


def test_where_two_vocabularies_differ() -> None:
    mine, theirs = {"a": 0, "b": 1, "c": 2, "later": 9}, {"a": 0, "c": 1, "b": 2, "d": 3}
    assert differences(mine, theirs) == ["'c' is 2, not 1", "'b' is 1, not 2", "'d' is no token, not 3"]
    assert differences(mine, {"b": 1}) == []
    assert beyond(mine, 2) == ["'c' (2)", "'later' (9)"]
    assert first(["x", "y", "z"]) == "x, y, z"
    assert first(["x", "y", "z"], most=2) == "x, y and 1 more"


def test_kl_is_over_the_tokens_that_both_models_have() -> None:
    draw = np.random.default_rng(0)
    student, teacher = draw.normal(size=(2, 3, 5)), draw.normal(size=(2, 3, 7))
    labels = np.array([[1, -100, 2], [0, 4, -100]])
    wanted = 0.0
    for b, t in zip(*np.nonzero(labels != -100), strict=True):
        p, q = np.exp(teacher[b, t, :5]), np.exp(student[b, t])
        p, q = p / p.sum(), q / q.sum()
        wanted += float((p * np.log(p / q)).sum())
    one, other = torch.tensor(student), torch.tensor(teacher)
    assert kl_sum(one, other, torch.tensor(labels), 1.0).item() == pytest.approx(wanted, rel=1e-6)
    assert [part.shape[-1] for part in shared(other, one)] == [5, 5]


def test_classes_are_no_vocabulary() -> None:
    with pytest.raises(AssertionError):
        kl_sum(torch.zeros(2, 3), torch.zeros(2, 4), torch.tensor([0, 1]), 1.0)
