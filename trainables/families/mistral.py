"""Mistral (Jiang et al., 2023): Llama's layout, with attention to a window of the last tokens in every block."""

from trainables.families.decoder import decoder
from trainables.families.llama import LLAMA

MISTRAL = decoder(
    "mistral",
    "Mistral",
    own_fields={"head_dim", "sliding_window"},
    defaults={"num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 32000},
    special_tokens=LLAMA.special_tokens,
    begins=True,
)
