"""A tiny teacher of a family and a batch for it, on which the families' contract is checked.

Shapes: B batch, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from trainables.families import making
from trainables.families.base import Family
from trainables.heads import LANGUAGE_MODEL, Head, HeadName

IGNORED = -100
LABELS = ("a", "b", "c")
NUM_BLOCKS = 6
WIDTH, FFN, HEADS = 16, 32, 4
LENGTHS = (7, 5, 3)
"""Tokens of each example of the batch, padded on the right."""
TARGET_LENGTHS = (4, 6, 2)
"""Tokens of each target, for an encoder-decoder."""
WORDS = [f"w{index}" for index in range(30)]


@dataclass(frozen=True)
class Tiny:
    """A family with one head; `config` holds the fields of a teacher from scratch."""

    family: Family
    head_name: HeadName
    config: Mapping[str, Any]

    @property
    def head(self) -> Head:
        return head(self.head_name)

    def teacher(self, **changes: Any) -> PreTrainedModel:
        """A teacher in which all tensors differ, including norms, biases and buffers."""
        fields = {**self.config, **changes}
        config = making.scratch_config(self.family, fields, tokenizer(self.family), self.head)
        model = making.build(self.family, config, self.head_name, seed=1)
        draw = torch.Generator().manual_seed(2)
        buffers = [buffer for name, buffer in model.named_buffers() if name == "final_logits_bias"]
        with torch.no_grad():
            for tensor in [*model.parameters(), *buffers]:
                tensor.add_(0.1 * torch.randn(tensor.shape, generator=draw))
        return model.eval().requires_grad_(False)

    def batch(self) -> dict[str, Tensor]:
        """Three labelled examples of different lengths, padded on the right."""
        pad_id: Any = tokenizer(self.family).pad_token_id
        draw = torch.Generator().manual_seed(3)
        mask_BT = torch.tensor([[int(t < length) for t in range(max(LENGTHS))] for length in LENGTHS])
        words = torch.tensor(tokenizer(self.family).convert_tokens_to_ids(WORDS))
        ids_BT = words[torch.randint(len(WORDS), mask_BT.shape, generator=draw)]
        batch = {"input_ids": ids_BT.masked_fill(mask_BT == 0, pad_id), "attention_mask": mask_BT}
        if self.family.has_segments:
            batch["token_type_ids"] = torch.tensor([[0, 0, 1, 1, 1, 1, 1]] * 3) * mask_BT
        match self.head_name:
            case "sequence_classification":
                if self.family.form == "encoder_decoder":  # its head reads the state of the end token
                    eos_id: Any = tokenizer(self.family).eos_token_id
                    batch["input_ids"][range(len(LENGTHS)), [length - 1 for length in LENGTHS]] = eos_id
                return batch | {"labels": torch.tensor([2, 0, 1])}
            case "token_classification":
                labels_BT = (ids_BT % len(LABELS)).masked_fill((mask_BT == 0) | (ids_BT % 4 == 0), IGNORED)
                return batch | {"token_labels": labels_BT}
            case "language_model":
                return batch | {"labels": self._written(ids_BT, mask_BT)}

    def _written(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        if self.family.form == "decoder":
            prompt_BT = torch.arange(mask_BT.shape[1]) < 2
            return ids_BT.masked_fill((mask_BT == 0) | prompt_BT, IGNORED)
        labels_BT = ids_BT[:, :6].flip(1).clone()
        return labels_BT.masked_fill(torch.arange(6) >= torch.tensor(TARGET_LENGTHS)[:, None], IGNORED)

    def for_transformers(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch as transformers' models take it, in which all labels are `labels`."""
        return {"labels" if name == "token_labels" else name: column for name, column in batch.items()}

    def plain(self, folder: Path) -> PreTrainedModel:
        """The model of a folder, loaded by plain transformers."""
        autos: dict[HeadName, Any] = {
            "language_model": AutoModelForCausalLM if self.family.form == "decoder" else AutoModelForSeq2SeqLM,
            "sequence_classification": AutoModelForSequenceClassification,
            "token_classification": AutoModelForTokenClassification,
        }
        return autos[self.head_name].from_pretrained(folder)


def head(name: HeadName, num_outputs: int = len(LABELS)) -> Head:
    """A head of this name, with the labels `a`, `b` and so on where it has labels."""
    if name == "language_model":
        return LANGUAGE_MODEL
    return Head(name, tuple(chr(ord("a") + index) for index in range(num_outputs)))


def tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """A tokenizer of thirty words; special tokens start at id 5, where transformers' configs do not expect them."""
    vocabulary = [*WORDS[:5], *dict.fromkeys(family.special_tokens.values()), *WORDS[5:]]
    unknown = family.special_tokens.get("unk_token", WORDS[0])
    words = Tokenizer(models.WordLevel({token: index for index, token in enumerate(vocabulary)}, unk_token=unknown))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, **family.special_tokens)


def shape(family: Family) -> dict[str, Any]:
    """The config fields of a tiny teacher, from the family's declaration."""
    fields: dict[str, Any] = {family.width_field: WIDTH}
    fields |= dict.fromkeys(family.heads_fields, HEADS) | dict.fromkeys(family.ffn_fields, FFN)
    fields |= {blocks.depth[0]: NUM_BLOCKS for blocks in family.stacks.values()}
    # The remaining divisors, such as the number of key heads.
    fields |= {part: HEADS // 2 for _, part in family.divisible if part not in fields}
    if family.positions_field is not None:
        fields[family.positions_field] = 32
    return fields
