"""A tiny setting of every family, listed once: the contract suite runs all of them."""

from __future__ import annotations

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
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from trainables.families import FAMILIES, Family

IGNORED = -100
NUM_CLASSES = 3
LENGTHS = (7, 5, 3)
TARGET_LENGTHS = (4, 6, 2)
WORDS = [f"w{index}" for index in range(30)]


@dataclass(frozen=True)
class Setting:
    """One family on one task kind; `final_norms` are the norms behind a stack's last state."""

    family: Family
    kind: str
    config: dict[str, Any]
    golden_blocks: tuple[int, ...]
    final_norms: dict[str, str]

    def __str__(self) -> str:
        return f"{self.family.name}-{self.kind}"

    def teacher(self, **changes: Any) -> PreTrainedModel:
        """A teacher of 6 blocks a stack in which no two tensors are alike, norms, biases and buffers included."""
        config = self.family.scratch_config(self.config | changes, tokenizer(self.family), NUM_CLASSES, self.kind)
        model = self.family.build(config, self.kind, seed=1)
        draw = torch.Generator().manual_seed(2)
        buffers = [buffer for name, buffer in model.named_buffers() if name == "final_logits_bias"]
        with torch.no_grad():
            for tensor in [*model.parameters(), *buffers]:
                tensor.add_(0.1 * torch.randn(tensor.shape, generator=draw))
        return model.eval().requires_grad_(False)

    def batch(self) -> dict[str, Tensor]:
        """Three examples of unlike lengths, padded on the right, with labels."""
        pad_id = tokenizer(self.family).pad_token_id
        draw = torch.Generator().manual_seed(3)
        mask_BT = torch.tensor([[int(t < length) for t in range(max(LENGTHS))] for length in LENGTHS])
        words = torch.tensor(tokenizer(self.family).convert_tokens_to_ids(WORDS))
        ids_BT = words[torch.randint(len(WORDS), mask_BT.shape, generator=draw)]
        batch = {"input_ids": ids_BT.masked_fill(mask_BT == 0, pad_id), "attention_mask": mask_BT}
        if self.family.form == "encoder":
            batch["token_type_ids"] = torch.tensor([[0, 0, 1, 1, 1, 1, 1]] * 3) * mask_BT
        return batch | {"labels": self._labels(ids_BT, mask_BT)}

    def _labels(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        if self.kind == "classification":
            return torch.tensor([2, 0, 1])
        if self.family.form == "decoder":
            prompt_BT = torch.arange(mask_BT.shape[1]) < 2
            return ids_BT.masked_fill((mask_BT == 0) | prompt_BT, IGNORED)
        labels_BT = ids_BT[:, :6].flip(1).clone()
        return labels_BT.masked_fill(torch.arange(6) >= torch.tensor(TARGET_LENGTHS)[:, None], IGNORED)


def tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """Thirty words and, from id 5 on, the family's special tokens: not where transformers' configs expect them."""
    vocabulary = [*WORDS[:5], *dict.fromkeys(family.special_tokens.values()), *WORDS[5:]]
    unknown = family.special_tokens.get("unk_token", WORDS[0])
    words = Tokenizer(models.WordLevel({token: index for index, token in enumerate(vocabulary)}, unk_token=unknown))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, **family.special_tokens)


def plain(setting: Setting, folder: Path) -> PreTrainedModel:
    """The folder's model as any user of transformers loads it, without this project."""
    if setting.kind == "classification":
        return AutoModelForSequenceClassification.from_pretrained(folder)
    auto: Any = AutoModelForCausalLM if setting.family.form == "decoder" else AutoModelForSeq2SeqLM
    return auto.from_pretrained(folder)


QWEN3 = {
    "hidden_size": 16,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 32,
    "initializer_range": 0.2,
    "tie_word_embeddings": True,
    "use_sliding_window": True,
    "sliding_window": 3,
    "layer_types": ["full_attention", "sliding_attention", "sliding_attention"] * 2,
}

SETTINGS = [
    Setting(
        FAMILIES["bert"],
        "classification",
        {
            "hidden_size": 16,
            "num_hidden_layers": 6,
            "num_attention_heads": 4,
            "intermediate_size": 32,
            "max_position_embeddings": 16,
            "initializer_range": 0.2,
        },
        golden_blocks=(2, 4, 6),
        final_norms={},
    ),
    Setting(
        FAMILIES["bart"],
        "generation",
        {
            "d_model": 16,
            "encoder_layers": 6,
            "decoder_layers": 6,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 48,
            "max_position_embeddings": 16,
            "init_std": 0.2,
        },
        golden_blocks=(2, 4, 6),
        final_norms={},
    ),
    Setting(
        FAMILIES["t5"],
        "generation",
        {"d_model": 16, "num_layers": 6, "num_heads": 2, "d_kv": 8, "d_ff": 32, "relative_attention_num_buckets": 8},
        golden_blocks=(2, 4, 6),
        final_norms={"encoder": "encoder.final_layer_norm", "decoder": "decoder.final_layer_norm"},
    ),
    Setting(FAMILIES["qwen3"], "generation", QWEN3, (2, 4, 6), {"decoder": "model.norm"}),
    Setting(FAMILIES["qwen3"], "classification", QWEN3, (2, 4, 6), {"decoder": "model.norm"}),
]
