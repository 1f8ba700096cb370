"""A tiny setting of every family, listed once: the contract suite runs all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainables.families import FAMILIES
from trainables.families.tiny import Tiny


@dataclass(frozen=True)
class Setting(Tiny):
    """One family on one task kind; `final_norms` are the norms behind a stack's last state."""

    golden_blocks: tuple[int, ...]
    final_norms: dict[str, str]

    def __str__(self) -> str:
        return f"{self.family.name}-{self.kind}"


# The fields that BERT and RoBERTa share, and the families of the decoder layout too.
ENCODER = {
    "hidden_size": 16,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "initializer_range": 0.2,
}
DECODER = {**ENCODER, "num_key_value_heads": 2}
WINDOWS = {
    "use_sliding_window": True,
    "sliding_window": 3,
    "layer_types": ["full_attention", "sliding_attention", "sliding_attention"] * 2,
}
DECODERS: dict[str, dict[str, Any]] = {
    "llama": {**DECODER, "attention_bias": True, "tie_word_embeddings": True},
    "mistral": {**DECODER, "head_dim": 8, "sliding_window": 3, "tie_word_embeddings": False},
    "qwen2": {**DECODER, **WINDOWS, "tie_word_embeddings": True},
    "qwen3": {**DECODER, **WINDOWS, "head_dim": 8, "tie_word_embeddings": True},
}
SETTINGS = [
    Setting(
        FAMILIES["bert"],
        "classification",
        {**ENCODER, "max_position_embeddings": 16},
        golden_blocks=(2, 4, 6),
        final_norms={},
    ),
    Setting(
        FAMILIES["roberta"],
        "classification",
        {**ENCODER, "max_position_embeddings": 17},
        golden_blocks=(2, 4, 6),
        final_norms={},
    ),
    Setting(
        FAMILIES["distilbert"],
        "classification",
        {
            "dim": 16,
            "n_layers": 6,
            "n_heads": 4,
            "hidden_dim": 32,
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
    *(
        Setting(FAMILIES[name], kind, config, (2, 4, 6), {"decoder": "model.norm"})
        for name, config in DECODERS.items()
        for kind in ("generation", "classification")
    ),
]
