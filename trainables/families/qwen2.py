"""Qwen2 and Qwen2.5 (Yang et al., 2024): a decoder with biases in its queries, keys and values."""

from trainables.families.decoder import WINDOWS, decoder

QWEN2 = decoder(
    "qwen2",
    "Qwen2",
    own_fields=WINDOWS,
    defaults={"num_key_value_heads": 32, "intermediate_size": 22016, "vocab_size": 151936},
    special_tokens={"pad_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    # transformers loads the tokenizer of every Qwen2 model as Qwen2Tokenizer, which splits by this pattern.
    split_pattern=(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    biases=frozenset("qkv"),
    # Its config does not set the size of a head, which is the width divided by the heads.
    divisible=(("hidden_size", "num_attention_heads"),),
    scratch_fields={"num_key_value_heads": None},
    per_block_fields=("layer_types",),
)
