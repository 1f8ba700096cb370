"""The composition of a family's parameters, from which `counts` computes their number for a config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ATTENTION = frozenset("qkvo")
FEED_FORWARD = frozenset({"gate", "up", "down"})


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The parts of a block and what surrounds the blocks. Fields named `*_field` hold keys of the config.

    Each linear layer has one of the roles q, k, v, o, gate, up and down.
    """

    roles: tuple[str, ...]
    """The role of each of the family's `linears`."""
    norm_biases: bool
    """Whether a norm has a bias beside its weight, as LayerNorm does and RMSNorm does not."""
    biases: frozenset[str] = frozenset()
    """Roles whose layers have a bias."""
    wide: frozenset[str] = frozenset()
    """Roles whose layers transformers keeps in fp32."""
    bias_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Config key -> roles whose layers have a bias where the key is true."""
    gated: bool = False
    """Whether the feed-forward part has a gate, and so three layers instead of two."""
    gated_field: str | None = None
    """The config key whose value begins with `gated-` where there is a gate."""
    head_field: str | None = None
    """The size of an attention head; None, or null in the config: the width divided by the number of heads."""
    key_heads_field: str | None = None
    """The number of heads of keys and values; None: as many as query heads."""
    norms_heads: bool = False
    """Whether queries and keys are normed, each with a weight of a head's size."""
    segments_field: str | None = None
    """The number of rows of the segment table."""
    unused_positions: int = 0
    """The number of rows of a position table beyond `positions_field`."""
    relative_field: str | None = None
    """The number of rows of each stack's table of relative positions, which has one column per head."""
    norms_embeddings: bool = False
    """Whether a norm follows each stack's embeddings."""
    norms_end: bool = False
    """Whether a norm follows each stack's last block."""
    ties_head: Literal["always", "unless_said", "if_said"]
    """Whether the LM head is the embedding table, given `tie_word_embeddings` in the config."""
