"""Vocabularies of tokenizers: their size, where two differ, and the part of two logits that they share.

Models of one tokenizer may have tables of different sizes, padded for the hardware (Qwen2.5: 151,936 and 152,064
rows for one vocabulary). The rows at the end stand for no token.

B batch, T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Vocabulary = Mapping[str, int]
"""Token -> id."""


def vocabulary(tokenizer: Mapping[str, Any]) -> dict[str, int]:
    """The vocabulary of a tokenizer.json, added tokens too. A unigram model lists its tokens with their scores."""
    entries: Any = tokenizer.get("model", {}).get("vocab", {})
    own: dict[str, int] = (
        entries if isinstance(entries, dict) else {token: index for index, (token, *_) in enumerate(entries)}
    )
    return {**own, **{token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])}}


def size(tokens: Vocabulary) -> int:
    """One more than the highest id: the rows that an embedding table needs."""
    return 1 + max(tokens.values(), default=-1)


def differences(mine: Vocabulary, theirs: Vocabulary) -> list[str]:
    """Each token of `theirs` that is not in `mine`, or there by another id, in the order of its id."""
    return [
        f"{token!r} is {mine.get(token, 'no token')}, not {index}"
        for token, index in sorted(theirs.items(), key=lambda item: item[1])
        if mine.get(token) != index
    ]


def beyond(tokens: Vocabulary, num_rows: int) -> list[str]:
    """Each token that has no row in a table of this size, in the order of its id."""
    ordered = sorted(tokens.items(), key=lambda item: item[1])
    return [f"{token!r} ({index})" for token, index in ordered if index >= num_rows]


def first(found: list[str], most: int = 3) -> str:
    """The first of what was found, and how much more there is."""
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def shared(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Two logits [B, T, V] cut to the vocabulary that both have, the smaller V."""
    num = min(one.shape[-1], other.shape[-1])
    return one[..., :num], other[..., :num]
