"""BART (Lewis et al., 2020): encoder and decoder."""

from trainables.families.base import Blocks, Family, ModelClass
from trainables.families.layout import ATTENTION, FEED_FORWARD, Layout

BART = Family(
    name="bart",
    model_type="bart",
    form="encoder_decoder",
    config_class="BartConfig",
    models={
        "language_model": ModelClass("BartForConditionalGeneration"),
        # Encoder and decoder read the same text; the head stands on the decoder's state of the end token.
        "sequence_classification": ModelClass(
            "BartForSequenceClassification",
            ("classification_head.out_proj.",),
            ("classification_head.",),
            hidden_layer=True,
        ),
    },
    stacks={
        "encoder": Blocks("model.encoder.layers", ("encoder_layers",)),
        "decoder": Blocks("model.decoder.layers", ("decoder_layers",)),
    },
    width_field="d_model",
    heads_fields=("encoder_attention_heads", "decoder_attention_heads"),
    ffn_fields=("encoder_ffn_dim", "decoder_ffn_dim"),
    positions_field="max_position_embeddings",
    divisible=(("d_model", "encoder_attention_heads"), ("d_model", "decoder_attention_heads")),
    defaults={
        "d_model": 1024,
        "encoder_layers": 12,
        "decoder_layers": 12,
        "encoder_attention_heads": 16,
        "decoder_attention_heads": 16,
        "encoder_ffn_dim": 4096,
        "decoder_ffn_dim": 4096,
        "max_position_embeddings": 1024,
        "vocab_size": 50265,
    },
    config_fields=frozenset(
        {
            "activation_dropout",
            "activation_function",
            "attention_dropout",
            "bos_token_id",
            "d_model",
            "decoder_attention_heads",
            "decoder_ffn_dim",
            "decoder_layers",
            "decoder_start_token_id",
            "dropout",
            "encoder_attention_heads",
            "encoder_ffn_dim",
            "encoder_layers",
            "eos_token_id",
            "forced_eos_token_id",
            "init_std",
            "max_position_embeddings",
            "pad_token_id",
            "scale_embedding",
            "tie_word_embeddings",
            "vocab_size",
        }
    ),
    # No LayerDrop: a dropped block would have no state to match.
    fixed_fields={"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0},
    token_ids={
        "pad_token_id": "pad_token",
        "bos_token_id": "bos_token",
        "eos_token_id": "eos_token",
        "decoder_start_token_id": "eos_token",
        "forced_eos_token_id": "eos_token",
    },
    special_tokens={
        "bos_token": "<s>",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    },
    template_single="<s> $A </s>",
    template_pair="<s> $A </s> </s> $B </s>",
    # With tied embeddings the first three are one table, which is also the LM head.
    embeddings=(
        "model.shared",
        "model.encoder.embed_tokens",
        "model.decoder.embed_tokens",
        "model.encoder.embed_positions",
        "model.decoder.embed_positions",
    ),
    linears=(
        *(f"{of}.{part}_proj" for of in ("self_attn", "encoder_attn") for part in ("k", "v", "q", "out")),
        "fc1",
        "fc2",
    ),
    layout=Layout(
        roles=(*"kvqo", *"kvqo", "up", "down"),
        norm_biases=True,
        biases=ATTENTION | FEED_FORWARD,
        unused_positions=2,
        norms_embeddings=True,
        ties_head="unless_said",
    ),
    match_embeddings=True,
)
