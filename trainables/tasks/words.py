"""Words to tokens: which token of a text each of its words begins with. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainables.tasks.codec import Codec

Firsts = dict[int, int]
"""Word -> the first token that begins in it, in the order of the words; without words that no token begins in."""


def encoded(rows: Sequence[Sequence[str]], codec: Codec) -> list[tuple[list[int], Firsts]]:
    """The ids of each row's words as one text, a space between two, cut to `task.max_length`; and their places."""
    texts = [" ".join(words) for words in rows]
    found: Any = codec.tokenizer(texts, truncation=True, max_length=codec.task.max_length, return_offsets_mapping=True)
    return [
        (ids or [codec.eos], _first_tokens(words, text, spans))
        for words, text, ids, spans in zip(rows, texts, found["input_ids"], found["offset_mapping"], strict=True)
    ]


def _first_tokens(words: Sequence[str], text: str, spans: Sequence[tuple[int, int]]) -> Firsts:
    """`spans` are the places of the tokens in the text, some with the space before them."""
    word_at = [word for word, each in enumerate(words) for _ in range(len(each) + 1)]  # with the space behind it
    firsts: Firsts = {}
    for position, (start, end) in enumerate(spans):
        begin = next((at for at in range(start, end) if not text[at].isspace()), None)
        if begin is not None:
            firsts.setdefault(word_at[begin], position)
    return firsts
