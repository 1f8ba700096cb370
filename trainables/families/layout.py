"""What a family's parameters are made of, beside the sizes in a config: the facts that `counts` counts by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ATTENTION = frozenset("qkvo")
FEED_FORWARD = frozenset({"gate", "up", "down"})


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The parts of a block, and what stands around the blocks. `*_field` names are keys of the config.

    A linear layer has one of the roles q, k, v, o, gate, up and down.
    """

    roles: tuple[str, ...]
    """The role of each of the family's `linears`."""
    norm_biases: bool
    """Whether a norm has a bias beside its weight: LayerNorm has, RMSNorm has not."""
    biases: frozenset[str] = frozenset()
    """Roles whose layers have a bias."""
    wide: frozenset[str] = frozenset()
    """Roles whose layers transformers wants in fp32."""
    bias_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Config keys that give roles a bias, where they are true."""
    gated: bool = False
    """Whether the feed-forward part has a gate: three layers, not two."""
    gated_field: str | None = None
    """The config key that says so, by `gated-…`."""
    head_field: str | None = None
    """The size of a head; null, or where the config has null: the width divided by the heads."""
    key_heads_field: str | None = None
    """Heads of keys and values; null: as many as of queries."""
    norms_heads: bool = False
    """Whether queries and keys are normed, each by a weight of a head's size."""
    segments_field: str | None = None
    """Rows of the table of segments."""
    unused_positions: int = 0
    """Rows of a position table beyond `positions_field`."""
    relative_field: str | None = None
    """Rows of the relative positions that each stack has once, a column a head."""
    norms_embeddings: bool = False
    """Whether a norm follows each stack's embeddings."""
    norms_end: bool = False
    """Whether a norm follows each stack's last block."""
    attention_dropout: tuple[str, float] | None
    """The config key and transformers' default: where it is 0 a fused kernel keeps no weights of pairs of tokens; null:
    transformers has no fused one for the family."""
    ties_head: Literal["always", "unless_said", "if_said"]
    """Whether the LM head is the embedding table, by what `tie_word_embeddings` says."""
