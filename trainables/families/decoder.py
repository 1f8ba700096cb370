"""The layout of Llama, Mistral, Qwen2, Qwen3 and similar models: one stack, rotary positions, and a final norm.

The blocks are `model.layers`; `model.norm` follows the last one, then `lm_head` or `score`. A family of this layout
is one call with its name and what is special about its config class.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from trainables.families.base import Blocks, Family, ModelClass
from trainables.families.layout import ATTENTION, FEED_FORWARD, Layout

_FIELDS = frozenset(
    {
        "attention_dropout",
        "bos_token_id",
        "eos_token_id",
        "hidden_act",
        "hidden_size",
        "initializer_range",
        "intermediate_size",
        "max_position_embeddings",
        "num_attention_heads",
        "num_hidden_layers",
        "num_key_value_heads",
        "pad_token_id",
        "rms_norm_eps",
        "rope_parameters",
        "tie_word_embeddings",
        "vocab_size",
    }
)
_TOKENS = ("pad_token", "bos_token", "eos_token")
_DEFAULTS = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}
WINDOWS = frozenset({"layer_types", "max_window_layers", "sliding_window", "use_sliding_window"})
"""Config fields of decoders in which some blocks attend only to a window of the last tokens."""


def decoder(
    name: str,
    classes: str,
    *,
    own_fields: Collection[str],
    defaults: Mapping[str, int],
    special_tokens: dict[str, str],
    begins: bool = False,
    biases: frozenset[str] = frozenset(),
    norms_heads: bool = False,
    divisible: tuple[tuple[str, str], ...] = (),
    **facts: Any,
) -> Family:
    """A family of this layout; `classes` is the prefix of its transformers classes.

    `own_fields` and `defaults` extend those of the layout. `begins`: whether each text begins with the bos token.
    For `biases` and `norms_heads` see Layout.
    """
    return Family(
        name=name,
        model_type=name,
        form="decoder",
        config_class=f"{classes}Config",
        models={
            "language_model": ModelClass(f"{classes}ForCausalLM"),
            "sequence_classification": ModelClass(
                f"{classes}ForSequenceClassification", ("score.",), ("score.",), bias=False
            ),
            "token_classification": ModelClass(f"{classes}ForTokenClassification", ("score.",), ("score.",)),
        },
        stacks={"decoder": Blocks("model.layers", ("num_hidden_layers",))},
        width_field="hidden_size",
        heads_fields=("num_attention_heads",),
        ffn_fields=("intermediate_size",),
        positions_field=None,
        divisible=(("num_attention_heads", "num_key_value_heads"), *divisible),
        defaults={**_DEFAULTS, **defaults},
        config_fields=_FIELDS | set(own_fields),
        token_ids={f"{token}_id": token for token in _TOKENS if token in special_tokens},
        special_tokens=special_tokens,
        template_single=f"{special_tokens['bos_token']} $A" if begins else None,
        template_pair="{0} $A {0} $B".format(special_tokens["bos_token"]) if begins else None,
        # It is also the LM head where the config ties them.
        embeddings=("model.embed_tokens",),
        linears=(
            *(f"self_attn.{part}_proj" for part in ("q", "k", "v", "o")),
            *(f"mlp.{part}_proj" for part in ("gate", "up", "down")),
        ),
        layout=Layout(
            roles=(*"qkvo", "gate", "up", "down"),
            norm_biases=False,
            biases=biases,
            bias_fields={"attention_bias": ATTENTION, "mlp_bias": FEED_FORWARD},
            gated=True,
            head_field="head_dim" if "head_dim" in own_fields else None,
            key_heads_field="num_key_value_heads",
            norms_heads=norms_heads,
            norms_end=True,
            ties_head="if_said",
        ),
        match_embeddings=False,
        **facts,
    )
