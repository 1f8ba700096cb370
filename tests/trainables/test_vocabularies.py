"""Vocabularies of tokenizer.json files, where two differ, and logits of unlike padding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models

from tests.trainables.alone import distil
from tests.trainables.golden import config, save_teacher
from trainables.config import TrialConfig
from trainables.families import FAMILIES, Family, making
from trainables.families.making import load_tokenizer
from trainables.heads import LANGUAGE_MODEL
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
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    words.add_special_tokens(["<end>"])
    assert vocabulary(json.loads(words.to_str())) == words.get_vocab() == {"a": 0, "b": 1, "<end>": 2}


def test_where_two_vocabularies_differ() -> None:
    mine, theirs = {"a": 0, "b": 1, "c": 2, "later": 9}, {"a": 0, "c": 1, "b": 2, "d": 3}
    assert differences(mine, theirs) == ["'c' is 2, not 1", "'b' is 1, not 2", "'d' is no token, not 3"]
    assert differences(mine, {"b": 1}) == []
    assert beyond(mine, 2) == ["'c' (2)", "'later' (9)"]
    assert first(["x", "y", "z"]) == "x, y, z"
    assert first(["x", "y", "z"], limit=2) == "x, y and 1 more"


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


# A teacher whose table has more rows than its tokenizer has tokens, as Qwen's have.

ROWS = 512


def padded(strategy: str) -> TrialConfig:
    given = config("qwen3", strategy, init="teacher").model_dump()
    given["model"]["teacher"]["config"]["vocab_size"] = ROWS
    return TrialConfig.model_validate(given)


@pytest.mark.parametrize("strategy", ["none", "forward"])
def test_a_cell_under_a_padded_teacher(strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its student has the same rows, all of them in the losses; one that is written stands for no text."""
    given, journal = padded(strategy), dict[str, float]()
    data = save_teacher(given, tmp_path / "teacher")
    tokenizer = load_tokenizer(str(tmp_path / "teacher"))
    num_tokens = size(vocabulary(json.loads((tmp_path / "teacher" / "tokenizer.json").read_text())))
    assert num_tokens == len(tokenizer) < ROWS
    written: list[list[int]] = []

    def generate(_family: Family, _model: Any, batch: dict[str, torch.Tensor], *_: int) -> torch.Tensor:
        """Padding's first row and its last about a token; the tokenizer has no word for either."""
        ids_BT = torch.tensor([[num_tokens, 5, ROWS - 1]]).repeat(len(batch["input_ids"]), 1)
        written.extend(ids_BT.tolist())
        return ids_BT

    monkeypatch.setattr("trainables.families.states.generate", generate)
    (tmp_path / "cell").mkdir()
    outcome = distil(given, data, tmp_path / "teacher", tmp_path / "cell", lambda _, metrics: journal.update(metrics))
    assert all(np.isfinite(value) for value in {**journal, **outcome.metrics}.values())
    assert journal["train/loss_kl"] > 0
    assert len(written) > 0
    student = making.load(FAMILIES["qwen3"], str(tmp_path / "cell" / "student"), None, LANGUAGE_MODEL, seed=0)
    assert student.get_input_embeddings().weight.shape[0] == ROWS
    rows = [json.loads(line) for line in (tmp_path / "cell" / "predictions.jsonl").read_text().splitlines()]
    assert {row["prediction"] for row in rows} == {tokenizer.decode([5], skip_special_tokens=True)}
