"""The number of parameters of a model, computed from its config without torch or a download.

A block has attention (twice in the decoder of an encoder-decoder), a feed-forward part, and a norm for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from trainables.families.base import Family, Shape
from trainables.families.layout import ATTENTION, FEED_FORWARD, Layout
from trainables.families.lora import targeted
from trainables.heads import Head


@dataclass(frozen=True)
class Counts:
    """The parameters of a model; tied ones are counted once."""

    embeddings: int
    """The tables of tokens, positions and segments."""
    blocks: int
    """The blocks of all stacks."""
    head: int
    """An untied LM head, or the outputs for labels with any layer below them."""
    rest: int
    """The norms outside the blocks."""

    @property
    def total(self) -> int:
        return self.embeddings + self.blocks + self.head + self.rest


class Sizes(NamedTuple):
    """The sizes of a stack's blocks; `inner` and `keys` are the total widths of the query and the key heads."""

    width: int
    ffn: int
    heads: int
    head: int
    inner: int
    keys: int


class Linear(NamedTuple):
    """A linear layer of a block, by its role."""

    role: str
    inputs: int
    outputs: int


def count(family: Family, shape: Shape, head: Head) -> Counts:
    """The parameters of the model with this head."""
    layout = layout_of(family)
    width, vocabulary = family.width(shape), _size(family, shape, "vocab_size")
    norm = width * (1 + layout.norm_biases)
    depths = family.num_blocks(shape)
    table, is_tied = vocabulary * width, _is_tied(layout, shape)
    # Without tying, encoder and decoder each have a table of their own beside the shared one.
    tables = table * (1 if is_tied or len(family.stacks) == 1 else 1 + len(family.stacks))
    if layout.segments_field:
        tables += _size(family, shape, layout.segments_field) * width
    if family.positions_field:
        rows = _size(family, shape, family.positions_field) + layout.unused_positions
        tables += rows * width * len(family.stacks)
    return Counts(
        embeddings=tables,
        blocks=sum(depth * block(family, shape, stack) for stack, depth in depths.items())
        + sum(_relative(family, shape, stack) for stack in family.stacks),
        head=_outputs(family, width, head) if head.has_labels else table * (not is_tied),
        rest=norm * len(family.stacks) * (layout.norms_embeddings + layout.norms_end),
    )


def outputs_per_token(family: Family, shape: Shape, head: Head) -> int:
    """The number of outputs at every token; 0 for a head with one output per text."""
    match head.name:
        case "language_model":
            return _size(family, shape, "vocab_size")
        case "token_classification":
            return head.num_outputs
        case "sequence_classification":
            return 0


def block(family: Family, shape: Shape, stack: str) -> int:
    """The parameters of one block, without the relative positions, which only a stack's first block has."""
    layout, sizes = layout_of(family), stack_sizes(family, shape, stack)
    weights = _in_linears(family, shape, stack, ATTENTION | FEED_FORWARD)
    num_attentions = attentions(family, stack)
    norms = sizes.width * (1 + layout.norm_biases) * (num_attentions + 1)
    return weights + norms + 2 * sizes.head * num_attentions * layout.norms_heads


def bf16_parameters(family: Family, shape: Shape) -> int:
    """The parameters of all blocks that are kept in bf16 when frozen (trainables/frozen.py)."""
    roles = ATTENTION | FEED_FORWARD - layout_of(family).wide
    return sum(depth * _in_linears(family, shape, stack, roles) for stack, depth in family.num_blocks(shape).items())


def _in_linears(family: Family, shape: Shape, stack: str, roles: frozenset[str]) -> int:
    """The weights and biases of one block's linear layers with these roles."""
    layout = layout_of(family)
    biased = layout.biases.union(*(extra for key, extra in layout.bias_fields.items() if shape.get(key)))
    linears = [each for each in block_linears(family, shape, stack) if each.role in roles]
    return sum(each.inputs * each.outputs + each.outputs * (each.role in biased) for each in linears)


def block_linears(family: Family, shape: Shape, stack: str) -> list[Linear]:
    """The linear layers of one block."""
    width, ffn, _, _, inner, keys = stack_sizes(family, shape, stack)
    attention = [
        Linear("q", width, inner),
        Linear("k", width, keys),
        Linear("v", width, keys),
        Linear("o", inner, width),
    ]
    gate = [Linear("gate", width, ffn)] if is_gated(family, shape) else []
    return attention * attentions(family, stack) + gate + [Linear("up", width, ffn), Linear("down", ffn, width)]


def lora(family: Family, shape: Shape, r: int, targets: list[str] | None) -> int:
    """The parameters of adapters of rank r on the targeted linear layers of every block.

    Targets that match only one of two attentions are counted for both.
    """
    layout = layout_of(family)
    names = targeted(family.linears, targets)
    roles = {role for name, role in zip(family.linears, layout.roles, strict=True) if name in names}
    return sum(
        depth * r * (each.inputs + each.outputs)
        for stack, depth in family.num_blocks(shape).items()
        for each in block_linears(family, shape, stack)
        if each.role in roles
    )


def student_shape(family: Family, shape: Shape, num_blocks: int, width: int | None) -> dict[str, Any]:
    """A student's shape, equal to that of the config from `making.student_config`."""
    student = {**shape, **{blocks.depth[0]: num_blocks for blocks in family.stacks.values()}}
    if width is not None:
        if head := layout_of(family).head_field:
            student[head] = stack_sizes(family, shape, next(iter(family.stacks))).head
        student |= family.at_width(shape, width)
    return student


def layout_of(family: Family) -> Layout:
    """The layout of a family that declares one."""
    assert family.layout is not None, f"{family.name} declares no layout"
    return family.layout


def attentions(family: Family, stack: str) -> int:
    """The number of attentions per block: 2 in a decoder with cross-attention, else 1."""
    return 2 if family.form == "encoder_decoder" and stack == "decoder" else 1


def is_gated(family: Family, shape: Shape) -> bool:
    """Whether the feed-forward part has a gate."""
    layout = layout_of(family)
    return layout.gated or str(shape.get(layout.gated_field or "")).startswith("gated-")


def stack_sizes(family: Family, shape: Shape, stack: str) -> Sizes:
    """The sizes of a stack; a family with a single key uses it for all its stacks."""
    layout, width = layout_of(family), family.width(shape)
    at = list(family.stacks).index(stack)
    heads = _size(family, shape, family.heads_fields[at % len(family.heads_fields)])
    ffn = _size(family, shape, family.ffn_fields[at % len(family.ffn_fields)])
    head = _or_null(family, shape, layout.head_field) or width // heads
    return Sizes(
        width, ffn, heads, head, heads * head, (_or_null(family, shape, layout.key_heads_field) or heads) * head
    )


def _size(family: Family, shape: Shape, key: str) -> int:
    value = shape.get(key)
    return family.defaults[key] if value is None else int(value)


def _or_null(family: Family, shape: Shape, key: str | None) -> int | None:
    """A size that may be null in a config, which differs from a missing key."""
    if key is None:
        return None
    return shape[key] if key in shape else family.defaults.get(key)


def _relative(family: Family, shape: Shape, stack: str) -> int:
    key = layout_of(family).relative_field
    return _size(family, shape, key) * stack_sizes(family, shape, stack).heads if key else 0


def _is_tied(layout: Layout, shape: Shape) -> bool:
    tie = shape.get("tie_word_embeddings", layout.ties_head == "unless_said")
    return bool(tie) or layout.ties_head == "always"


def _outputs(family: Family, width: int, head: Head) -> int:
    facts = family.models[head.name]
    return facts.hidden_layer * width * (width + 1) + head.num_outputs * (width + facts.bias)
