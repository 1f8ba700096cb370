"""Padded batches of examples, their order in an epoch, and a split that is collated once.

Shapes: B batch, T tokens.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from trainables.seeds import generator
from trainables.tasks.codec import IGNORED, Example

Batch = dict[str, Tensor]
T = TypeVar("T")

POOL = 16
"""Batches per pool, within which examples of similar length are batched together."""


def collate(examples: Sequence[Example], pad_id: int, *, left: bool = False) -> Batch:
    """Padded tensors [B, T] of int64: input_ids, attention_mask, token_type_ids where present, and labels.

    `labels` is [B] where each text has one label (fp32 for numbers), and [B, T'] with -100 at padding for target texts;
    `token_labels` is [B, T] with -100 at padding. `left` pads before the tokens, for prompts that a decoder continues.
    """
    fills = {"input_ids": pad_id, "token_type_ids": 0, "labels": IGNORED, "token_labels": IGNORED}
    batch = {
        column: _padded([example[column] for example in examples], fill, left=left)
        for column, fill in fills.items()
        if column in examples[0]
    }
    batch["attention_mask"] = _padded([[1] * len(example["input_ids"]) for example in examples], 0, left=left)
    if "label" in examples[0]:
        batch["labels"] = torch.tensor([example["label"][0] for example in examples])
    return batch


def _padded(lists: list[list[int]], fill: int, *, left: bool) -> Tensor:
    longest = max(map(len, lists))
    rows = [([fill] * (longest - len(ids)) + ids) if left else (ids + [fill] * (longest - len(ids))) for ids in lists]
    return torch.tensor(rows, dtype=torch.long)


def epoch_order(
    lengths: list[int], batch_size: int, seed: int, epoch: int, *, at_random: bool = False
) -> list[list[int]]:
    """The micro-batches of an epoch as indices of examples: each example occurs once, beside similar lengths.

    The examples are shuffled and sorted by length within pools of 16 batches; then the batches are shuffled. With
    `at_random`, the examples are only shuffled.
    """
    rng: random.Random = generator(seed, f"data/{epoch}")
    shuffled = list(range(len(lengths)))
    rng.shuffle(shuffled)
    if at_random:
        return [shuffled[start : start + batch_size] for start in range(0, len(shuffled), batch_size)]
    size = POOL * batch_size
    batches: list[list[int]] = []
    for start in range(0, len(shuffled), size):
        pool = sorted(shuffled[start : start + size], key=lengths.__getitem__)
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    rng.shuffle(batches)
    return batches


class Split:
    """The examples of a split as batches on the host, padded once for all evaluations."""

    def __init__(
        self,
        examples: Sequence[Example],
        pad_id: int,
        batch_size: int,
        *,
        by_length: bool = True,
        left: bool = False,
    ) -> None:
        """`by_length`: sorts examples from long to short, which reduces padding. `left`: as in `collate`."""
        order = list(range(len(examples)))
        if by_length:
            order.sort(key=lambda i: (-len(examples[i]["input_ids"]), -len(examples[i].get("labels", ()))))
        self.order = order
        chosen = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        self.batches = [collate([examples[i] for i in indices], pad_id, left=left) for indices in chosen]

    def restored(self, parts: Iterable[Sequence[T]]) -> list[T]:
        """The results of all batches, one item per example, in the order of the examples."""
        items = [item for part in parts for item in part]
        places = {example: place for place, example in enumerate(self.order)}
        assert len(items) == len(places)
        return [items[places[example]] for example in range(len(places))]
