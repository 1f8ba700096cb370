"""A model family: its declaration, and the shapes that follow from it and a config.

A family is declared, not programmed: config keys, dotted paths of modules and names of transformers classes. The code
that uses it is in `making` (models), `states` (hidden states) and `adapters` (LoRA). Importing this module loads
neither torch nor transformers.

Shapes: B batch, T tokens, D width, V vocabulary, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from trainables.families.layout import Layout
from trainables.heads import HeadName
from trainables.strategies import even_blocks

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

Form = Literal["encoder", "encoder_decoder", "decoder"]
"""What a model does: encode a text, generate an answer to a text, or continue a text."""

Shape = Mapping[str, Any]
"""A transformers config as a mapping: config.json, `config.to_dict()`, or the fields of a teacher from scratch."""


class Blocks(NamedTuple):
    """The path of a stack's blocks, and the config keys of their number, of which the first that is set counts."""

    path: str
    depth: tuple[str, ...]


@dataclass(frozen=True)
class ModelClass:
    """A transformers class with one head. Prefixes are those of the names of its weights."""

    name: str
    outputs: tuple[str, ...] = ()
    """Prefixes of the weights with one row per label; empty for a language model."""
    fresh: tuple[str, ...] = ()
    """Prefixes of the weights that a checkpoint without this head may lack: `outputs`, and any head layers below."""
    hidden_layer: bool = False
    """Whether a dense layer of the model's width, with a bias, precedes the outputs."""
    bias: bool = True
    """Whether the outputs have a bias."""


@dataclass(frozen=True)
class Outputs:
    """The results of one forward pass."""

    logits: Tensor
    """[B, C], or [B, T, V] at the positions of `labels`; V is C for token classification."""
    labels: Tensor
    """[B], or [B, T] with -100 where there is no target."""
    states: dict[str, list[Tensor]]
    """Stack -> states [B, T, D]: state 0 enters block 1, state i leaves block i, before any final norm."""
    masks: dict[str, Tensor]
    """Stack -> mask of real tokens, bool [B, T]."""
    all_logits: Tensor
    """The logits at every position of the input, [B, T, V], aligned with `states`; [B, C] for a whole text."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family. Paths are those within the classes in `models`; fields named `*_field` hold keys of its config."""

    name: str
    model_type: str
    form: Form
    config_class: str
    models: dict[HeadName, ModelClass]
    """Head -> the transformers class with this head, for every head that the family can build."""
    stacks: dict[str, Blocks]
    width_field: str
    heads_fields: tuple[str, ...]
    ffn_fields: tuple[str, ...]
    scaled_head_field: str | None = None
    """The size of an attention head, where it is a config key that follows the student's width."""
    positions_field: str | None
    """The size of the position table; None: the length is not limited."""
    positions_after: str | None = None
    """The token id after which positions are counted; None: they count from 0."""
    has_segments: bool = False
    """Whether the model reads `token_type_ids`, which tell the texts of a pair apart."""
    divisible: tuple[tuple[str, str], ...]
    """Pairs of config keys; the first must be a multiple of the second."""
    defaults: dict[str, int]
    """The defaults of transformers for the keys of a shape."""
    config_fields: frozenset[str]
    """The keys that the config of a teacher from scratch may set."""
    scratch_fields: dict[str, Any] = field(default_factory=dict)
    """Default values for a teacher from scratch."""
    fixed_fields: dict[str, Any] = field(default_factory=dict)
    """Values that override those of any config."""
    per_block_fields: tuple[str, ...] = ()
    """Config lists with one entry per block."""
    token_ids: dict[str, str]
    """Config key -> the special token whose id is its value."""
    special_tokens: dict[str, str]
    template_single: str | None
    template_pair: str | None
    split_pattern: str | None = None
    """How transformers splits the family's texts after NFC, whatever tokenizer.json says; None: as it says."""
    embeddings: tuple[str, ...]
    """The tables that `freeze_embeddings` freezes, where present; that of the tokens comes first."""
    linears: tuple[str, ...] = ()
    """The linear layers in a block of any stack and config, which LoRA may target; empty: not declared."""
    layout: Layout | None = None
    """The composition of its parameters; None: a plan estimates neither memory nor cost."""
    match_embeddings: bool
    """Whether embedding states are matched by default, as in the paper for this family."""
    copied: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)
    """The paper's tables of teacher blocks to copy: (teacher's depth, student's depth) -> blocks."""

    def num_blocks(self, config: Shape) -> dict[str, int]:
        """Stack -> its number of blocks."""
        return {name: self.value(config, *blocks.depth) for name, blocks in self.stacks.items()}

    def width(self, config: Shape) -> int:
        """The width of the hidden states."""
        return self.value(config, self.width_field)

    def at_width(self, config: Shape, width: int) -> dict[str, int]:
        """Config key -> its value in a student of another width, to which the other sizes are proportional."""
        full = self.width(config)
        sizes = {key: round(self.value(config, key) * width / full) for key in self.ffn_fields}
        if self.scaled_head_field is not None:
            sizes[self.scaled_head_field] = self.value(config, self.scaled_head_field) * width // full
        return {**sizes, self.width_field: width}

    def heads(self, config: Shape) -> dict[str, int]:
        """Config key -> number of attention heads."""
        return {key: self.value(config, key) for key in self.heads_fields}

    def max_length(self, config: Shape) -> int | None:
        """The longest input in tokens that the position table allows; None: any."""
        if self.positions_field is None:
            return None
        num_unused = 0 if self.positions_after is None else self.value(config, self.positions_after) + 1
        return self.value(config, self.positions_field) - num_unused

    def copied_blocks(self, num_teacher: int, num_student: int) -> list[int]:
        """The teacher blocks, from 1, that init `teacher` copies to the student (paper, section 4)."""
        table = self.copied.get((num_teacher, num_student))
        return even_blocks(num_teacher, num_student) if table is None else list(table)

    def value(self, config: Shape, *keys: str) -> int:
        """The value of the first of these keys that is set, else transformers' default for the first that has one."""
        values = [config[key] for key in keys if config.get(key) is not None]
        return values[0] if values else next(self.defaults[key] for key in keys if key in self.defaults)

    def head_of(self, model: PreTrainedModel) -> HeadName:
        """The head of a model of the family."""
        return next(head for head, each in self.models.items() if each.name == type(model).__name__)
