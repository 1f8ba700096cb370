"""Llama (Touvron et al., 2023; Grattafiori et al., 2024): a decoder whose texts begin with <s>."""

from trainables.families.decoder import decoder

LLAMA = decoder(
    "llama",
    "Llama",
    own_fields={"attention_bias", "head_dim", "mlp_bias", "pretraining_tp"},
    defaults={
        "intermediate_size": 11008,
        "vocab_size": 32000,
    },  # by default there are as many key heads as query heads
    special_tokens={"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    begins=True,
    # transformers refuses other widths, even where the config gives the size of a head.
    divisible=(("hidden_size", "num_attention_heads"),),
)
