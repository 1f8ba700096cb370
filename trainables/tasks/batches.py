"""Rows to padded batches of token ids, and the order of an epoch.

Shapes: B batch, T tokens.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.seeds import generator
from trainables.tasks.rows import ClassificationRow, GenerationRow, Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from trainables.config import TaskConfig
    from trainables.families.base import Form

Example = dict[str, list[int]]
"""`input_ids`; `token_type_ids` for the form encoder; `label`, a list of one class index, or `labels`, one a token."""

IGNORED = -100
"""The label of a position that is no target."""

POOL = 16
"""Batches of a pool, within which examples of like length come together."""


def encode(rows: Sequence[Row], task: TaskConfig, form: Form, tokenizer: PreTrainedTokenizerBase) -> list[Example]:
    """Inputs and labels of rows, cut to `task.max_length` tokens: each side, or the whole of a decoder's text.

    No input is empty: where a text has no token, the end token stands for it.
    """
    if task.kind == "classification":
        return _encode_classification(rows, task, form, tokenizer)
    if form == "decoder":
        return _encode_continuations(rows, task, tokenizer)
    examples = encode_prompts(rows, task, form, tokenizer)
    targets = [row.references[0] for row in _generation(rows)]
    labels: list[list[int]] = tokenizer(text_target=targets, truncation=True, max_length=task.max_length)["input_ids"]
    eos = _eos(tokenizer)
    for example, ids in zip(examples, labels, strict=True):
        example["labels"] = ids if ids[-1:] == [eos] else [*ids[: task.max_length - 1], eos]
    return examples


def encode_prompts(
    rows: Sequence[Row], task: TaskConfig, form: Form, tokenizer: PreTrainedTokenizerBase
) -> list[Example]:
    """What a model generates from: the source, and for a decoder the separator, which is never cut."""
    sources = [row.source for row in _generation(rows)]
    if form == "decoder":
        start, separator = _start(tokenizer), _ids(tokenizer, [task.separator])[0]
        room = max(task.max_length - len(start) - len(separator), 0)
        return [{"input_ids": start + ids[:room] + separator or [_eos(tokenizer)]} for ids in _ids(tokenizer, sources)]
    ids = tokenizer(sources, truncation=True, max_length=task.max_length)["input_ids"]
    return [{"input_ids": source} for source in ids]


def _encode_classification(
    rows: Sequence[Row], task: TaskConfig, form: Form, tokenizer: PreTrainedTokenizerBase
) -> list[Example]:
    classification = [row for row in rows if isinstance(row, ClassificationRow)]
    texts = [row.texts for row in classification]
    if form == "decoder":
        texts = [(task.separator.join(pair),) for pair in texts]
    first, second = [pair[0] for pair in texts], [pair[1] for pair in texts if len(pair) == 2]
    encoded = tokenizer(
        first, second or None, truncation=True, max_length=task.max_length, return_token_type_ids=form == "encoder"
    )
    columns = ["input_ids", "token_type_ids"] if form == "encoder" else ["input_ids"]
    examples: list[Example] = [{column: encoded[column][index] for column in columns} for index in range(len(texts))]
    for example, row in zip(examples, classification, strict=True):
        if not example["input_ids"]:  # a decoder's empty text
            example["input_ids"] = [_eos(tokenizer)]
        example["label"] = [row.label]
    return examples


def _encode_continuations(rows: Sequence[Row], task: TaskConfig, tokenizer: PreTrainedTokenizerBase) -> list[Example]:
    """Source, separator, target and end as one text; only target and end are labels.

    What does not fit is cut from the source, then from the target, never from start, separator and end.
    """
    start, separator, end = _start(tokenizer), _ids(tokenizer, [task.separator])[0], [_eos(tokenizer)]
    generation = _generation(rows)
    sources = _ids(tokenizer, [row.source for row in generation])
    targets = _ids(tokenizer, [row.references[0] for row in generation])
    examples: list[Example] = []
    for source, target in zip(sources, targets, strict=True):
        room = max(task.max_length - len(start) - len(separator) - len(end), 0)
        target = target[:room] + end
        prompt = start + source[: room + len(end) - len(target)] + separator or end
        examples.append({"input_ids": prompt + target, "labels": [IGNORED] * len(prompt) + target})
    return examples


def _generation(rows: Sequence[Row]) -> list[GenerationRow]:
    return [row for row in rows if isinstance(row, GenerationRow)]


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=False)["input_ids"]


def _start(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What a decoder's tokenizer puts before each text: Llama's <s>, nothing for most."""
    bos = tokenizer.bos_token_id
    return [bos] if isinstance(bos, int) and tokenizer("")["input_ids"][:1] == [bos] else []


def _eos(tokenizer: PreTrainedTokenizerBase) -> int:
    eos = tokenizer.eos_token_id
    assert isinstance(eos, int), "a tokenizer with an end token"
    return eos


def collate(examples: Sequence[Example], pad_id: int, *, left: bool = False) -> dict[str, Tensor]:
    """Padded tensors [B, T] of int64: input_ids, attention_mask, token_type_ids where present, labels.

    `labels` is [B] for classification; for generation [B, T'] with -100 at padding. `left` pads before the
    tokens, for prompts that a decoder goes on from.
    """
    fills = {"input_ids": pad_id, "token_type_ids": 0, "labels": IGNORED}
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


def epoch_order(lengths: list[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The micro-batches of an epoch as indices of examples: each example once, like lengths together.

    Shuffled, then sorted by length within pools of 16 batches, then the batches shuffled.
    """
    rng: random.Random = generator(seed, f"data/{epoch}")
    shuffled = list(range(len(lengths)))
    rng.shuffle(shuffled)
    size = POOL * batch_size
    batches: list[list[int]] = []
    for start in range(0, len(shuffled), size):
        pool = sorted(shuffled[start : start + size], key=lengths.__getitem__)
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    rng.shuffle(batches)
    return batches
