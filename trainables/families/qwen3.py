"""Qwen3 (Yang et al., 2025): a decoder. <|endoftext|> is both its end token and its pad token."""

from trainables.families.decoder import WINDOWS, decoder

QWEN3 = decoder(
    "qwen3",
    "Qwen3",
    own_fields=WINDOWS | {"attention_bias", "head_dim"},
    defaults={"num_key_value_heads": 32, "head_dim": 128, "intermediate_size": 22016, "vocab_size": 151936},
    special_tokens={"pad_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    scratch_fields={"num_key_value_heads": None},
    norms_heads=True,
    per_block_fields=("layer_types",),
    copied={
        (28, 7): (1, 5, 10, 14, 19, 23, 28),
        (36, 9): (1, 5, 10, 14, 19, 23, 28, 32, 36),
        (40, 10): (1, 5, 10, 14, 19, 23, 28, 32, 36, 40),
    },
)
