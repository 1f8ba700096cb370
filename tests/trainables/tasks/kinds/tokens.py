"""Tokenizers of known words, with which token ids are spelled out."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerFast

from trainables.config import TaskConfig, TokenizerConfig
from trainables.families import FAMILIES
from trainables.tasks.codec import Codec
from trainables.tasks.tokenizer import train_tokenizer

TEXTS = ["a b c d e f g h", "Q A : Question Answer . 1 2", "story one question answer yes no"]
FILES = {"train": "t.csv", "validation": "v.csv", "test": "s.csv"}


def task(kind: str, **fields: Any) -> TaskConfig:
    text = {"text": ["one", "two"]} if kind in ("classification", "regression") else {}
    return TaskConfig.model_validate({"name": "own", "kind": kind, "files": FILES, "separator": "=", **text, **fields})


def tokenizer_of(family: str) -> PreTrainedTokenizerFast:
    kind = "word" if "unk_token" in FAMILIES[family].special_tokens else "byte_bpe"
    return train_tokenizer(TokenizerConfig(kind=kind, vocab_size=400), FAMILIES[family], TEXTS)


def codec(family: str, kind: str, **fields: Any) -> Codec:
    """The codec of one of the families for a task of the kind."""
    return Codec(task(kind, **fields), FAMILIES[family].form, tokenizer_of(family))


def words(codec: Codec, ids: list[int]) -> str:
    """The tokens with spaces between; `_` where there is no label."""
    tokens = ["_" if i == -100 else str(codec.tokenizer.convert_ids_to_tokens(i)) for i in ids]
    return " ".join(token.replace("Ġ", "") for token in tokens)
