"""Vocabularies of tokenizers: their size, their differences, and the part of the logits that two models share.

Models with one tokenizer may have tables of different sizes, padded for the hardware (Qwen2.5: 151,936 and 152,064
rows for one vocabulary). The last rows belong to no token.

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
    """The vocabulary of a tokenizer.json with its added tokens. A unigram model lists tokens with their scores."""
    entries: Any = tokenizer.get("model", {}).get("vocab", {})
    own: dict[str, int] = (
        entries if isinstance(entries, dict) else {token: index for index, (token, *_) in enumerate(entries)}
    )
    return {**own, **{token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])}}


def size(tokens: Vocabulary) -> int:
    """One more than the highest id: the number of rows that an embedding table needs."""
    return 1 + max(tokens.values(), default=-1)


def differences(mine: Vocabulary, theirs: Vocabulary) -> list[str]:
    """Each token of `theirs` that `mine` lacks or gives another id, in the order of its id."""
    return [
        f"{token!r} is {mine.get(token, 'no token')}, not {index}"
        for token, index in sorted(theirs.items(), key=lambda item: item[1])
        if mine.get(token) != index
    ]


def beyond(tokens: Vocabulary, num_rows: int) -> list[str]:
    """Each token that has no row in a table of this size, in the order of its id."""
    ordered = sorted(tokens.items(), key=lambda item: item[1])
    return [f"{token!r} ({index})" for token, index in ordered if index >= num_rows]


def first(items: list[str], limit: int = 3) -> str:
    """The first items of a list, and the number of the others."""
    return ", ".join(items[:limit]) + (f" and {len(items) - limit} more" if len(items) > limit else "")


def shared(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Two logits [B, T, V], both cut to the smaller V, the vocabulary that they share."""
    num = min(one.shape[-1], other.shape[-1])
    return one[..., :num], other[..., :num]
