"""The first token of each word of a text. It needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainables.tasks.codec import Codec

Firsts = dict[int, int]
"""Word -> the first token that begins in it, in the order of the words; words in which no token begins are missing."""


def encoded(rows: Sequence[Sequence[str]], codec: Codec) -> list[tuple[list[int], Firsts]]:
    """The ids of each row's words, joined by spaces and cut to `task.max_length`, and the first token of each word."""
    texts = [" ".join(words) for words in rows]
    encoding: Any = codec.tokenizer(
        texts, truncation=True, max_length=codec.task.max_length, return_offsets_mapping=True
    )
    return [
        (ids or [codec.eos], _first_tokens(words, text, spans))
        for words, text, ids, spans in zip(rows, texts, encoding["input_ids"], encoding["offset_mapping"], strict=True)
    ]


def _first_tokens(words: Sequence[str], text: str, spans: Sequence[tuple[int, int]]) -> Firsts:
    """`spans` are the character ranges of the tokens, some of which include the space before them."""
    word_at = [word for word, each in enumerate(words) for _ in range(len(each) + 1)]  # with the space after it
    firsts: Firsts = {}
    for position, (start, end) in enumerate(spans):
        begin = next((at for at in range(start, end) if not text[at].isspace()), None)
        if begin is not None:
            firsts.setdefault(word_at[begin], position)
    return firsts
