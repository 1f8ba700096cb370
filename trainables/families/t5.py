"""T5 (Raffel et al., 2020): encoder and decoder, with relative positions."""

from trainables.families.base import Blocks, Family, ModelClass
from trainables.families.layout import Layout

T5 = Family(
    name="t5",
    model_type="t5",
    form="encoder_decoder",
    config_class="T5Config",
    # T5's classes with other heads have other paths to their blocks, and one of them has no decoder.
    models={"language_model": ModelClass("T5ForConditionalGeneration")},
    stacks={
        "encoder": Blocks("encoder.block", ("num_layers",)),
        "decoder": Blocks("decoder.block", ("num_decoder_layers", "num_layers")),
    },
    width_field="d_model",
    heads_fields=("num_heads",),
    ffn_fields=("d_ff",),
    # As in the paper's code: each of the 12 heads has a twelfth of the student's width.
    scaled_head_field="d_kv",
    positions_field=None,
    divisible=(),
    defaults={
        "d_model": 512,
        "num_layers": 6,
        "num_heads": 8,
        "d_kv": 64,
        "d_ff": 2048,
        "relative_attention_num_buckets": 32,
        "vocab_size": 32128,
    },
    config_fields=frozenset(
        {
            "d_ff",
            "d_kv",
            "d_model",
            "decoder_start_token_id",
            "dropout_rate",
            "eos_token_id",
            "feed_forward_proj",
            "initializer_factor",
            "layer_norm_epsilon",
            "num_decoder_layers",
            "num_heads",
            "num_layers",
            "pad_token_id",
            "relative_attention_max_distance",
            "relative_attention_num_buckets",
            "tie_word_embeddings",
            "vocab_size",
        }
    ),
    token_ids={"pad_token_id": "pad_token", "eos_token_id": "eos_token", "decoder_start_token_id": "pad_token"},
    special_tokens={"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
    template_single="$A </s>",
    template_pair="$A </s> $B </s>",
    # They are one table, which is also the LM head.
    embeddings=("shared", "encoder.embed_tokens", "decoder.embed_tokens"),
    linears=(
        *(f"layer.{of}.{part}" for of in ("0.SelfAttention", "1.EncDecAttention") for part in ("q", "k", "v", "o")),
        # The feed-forward part is an encoder's second layer, a decoder's third; with a gate, wi_0 and wi_1 replace wi.
        *(f"layer.{at}.DenseReluDense.{part}" for at in (1, 2) for part in ("wi", "wi_0", "wi_1", "wo")),
    ),
    layout=Layout(
        roles=(*"qkvo", *"qkvo", *("up", "gate", "up", "down") * 2),
        norm_biases=False,
        wide=frozenset({"down"}),
        gated_field="feed_forward_proj",
        head_field="d_kv",
        relative_field="relative_attention_num_buckets",
        norms_end=True,
        ties_head="always",
    ),
    match_embeddings=True,
    copied={
        (12, 1): (1,),
        (12, 2): (1, 12),
        (12, 3): (1, 7, 12),
        (12, 4): (1, 5, 9, 12),
        (12, 6): (1, 3, 5, 8, 10, 12),
        (12, 9): (1, 2, 3, 6, 7, 8, 10, 11, 12),
    },
)
