"""A tiny setting of every family, listed once: the contract suite runs all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainables.families import FAMILIES
from trainables.families.tiny import Tiny


@dataclass(frozen=True)
class Setting(Tiny):
    """One family with one head; `final_norms` are the norms behind a stack's last state."""

    golden_blocks: tuple[int, ...]
    final_norms: dict[str, str]

    def __str__(self) -> str:
        return f"{self.family.name}-{self.head_name}"


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
DISTILBERT = {
    "dim": 16,
    "n_layers": 6,
    "n_heads": 4,
    "hidden_dim": 32,
    "max_position_embeddings": 16,
    "initializer_range": 0.2,
}
BART = {
    "d_model": 16,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 16,
    "init_std": 0.2,
}
T5 = {"d_model": 16, "num_layers": 6, "num_heads": 2, "d_kv": 8, "d_ff": 32, "relative_attention_num_buckets": 8}
T5_NORMS = {"encoder": "encoder.final_layer_norm", "decoder": "decoder.final_layer_norm"}
SHAPES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "bert": ({**ENCODER, "max_position_embeddings": 16}, {}),
    "roberta": ({**ENCODER, "max_position_embeddings": 17}, {}),
    "distilbert": (DISTILBERT, {}),
    "bart": (BART, {}),
    "t5": (T5, T5_NORMS),
    **{name: (config, {"decoder": "model.norm"}) for name, config in DECODERS.items()},
}
_ALL = [
    Setting(FAMILIES[name], head, config, (2, 4, 6), final_norms)
    for name, (config, final_norms) in SHAPES.items()
    for head in FAMILIES[name].models
]
ALIKE = [each for each in _ALL if each.head_name == "token_classification" and each.family.name in DECODERS][:-1]
"""Of one layout and one head, the last one is enough for all tests but the contract."""
SETTINGS = [each for each in _ALL if each not in ALIKE]
