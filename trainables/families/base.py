"""A model family: the facts that set it apart, and the shapes that follow from them and a config.

A family is declared, not programmed: config keys, dotted paths of modules and names of transformers classes. What
works on it lies beside it: models in `making`, their states in `states`, adapters in `adapters`. Importing this
module loads neither torch nor transformers.

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
"""What a model reads and gives: one text, a text and its answer, or an answer that goes on from the text."""

Shape = Mapping[str, Any]
"""A transformers config as a mapping: config.json, `config.to_dict()`, or the fields of a teacher from scratch."""


class Blocks(NamedTuple):
    """Where the blocks of a stack are, and the config keys of their number: the first one that is set counts."""

    path: str
    depth: tuple[str, ...]


@dataclass(frozen=True)
class ModelClass:
    """A transformers class that has one head. Prefixes are of the names of its weights."""

    name: str
    outputs: tuple[str, ...] = ()
    """Prefixes of the weights with a row for each label; empty for a language model."""
    fresh: tuple[str, ...] = ()
    """Prefixes of the weights that a checkpoint without this head may lack: those of `outputs`, and layers below."""
    hidden_layer: bool = False
    """Whether a layer of the width, with a bias, stands between the blocks and the outputs."""
    bias: bool = True
    """Whether the outputs have a bias."""


@dataclass(frozen=True)
class Outputs:
    """What one pass of a model shows."""

    logits: Tensor
    """[B, C], or [B, T, V] at the positions of `labels`; V is C where each token has a class."""
    labels: Tensor
    """[B], or [B, T] with -100 where there is no target."""
    states: dict[str, list[Tensor]]
    """Stack -> states [B, T, D]: 0 enters block 1, i leaves block i, before any final norm."""
    masks: dict[str, Tensor]
    """Stack -> real tokens, [B, T] of bool."""
    all_logits: Tensor
    """The logits of every position of the input, [B, T, V], in line with `states`; [B, C] of a whole text."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family. Paths are those of the model classes in `models`; `*_field` names are keys of its config."""

    name: str
    model_type: str
    form: Form
    config_class: str
    models: dict[HeadName, ModelClass]
    """Head -> the transformers class that has it; its keys are the heads that the family can build."""
    stacks: dict[str, Blocks]
    width_field: str
    heads_fields: tuple[str, ...]
    ffn_fields: tuple[str, ...]
    scaled_head_field: str | None = None
    """The size of a head, where a narrower student's heads are smaller by a key of their own."""
    positions_field: str | None
    """The size of the position table; null: no such limit."""
    positions_after: str | None = None
    """The token id that a text's positions count on from; null: they count from 0."""
    has_segments: bool = False
    """Whether the model reads `token_type_ids`: which text of a pair a token is of."""
    divisible: tuple[tuple[str, str], ...]
    """Pairs of config keys of which the first has to be a multiple of the second."""
    defaults: dict[str, int]
    """What transformers takes for a key of the shape that a config leaves out."""
    config_fields: frozenset[str]
    """What a config of a teacher from scratch may set."""
    scratch_fields: dict[str, Any] = field(default_factory=dict)
    """What a teacher from scratch has where its config says nothing."""
    fixed_fields: dict[str, Any] = field(default_factory=dict)
    """What every model has here, whatever its config says."""
    per_block_fields: tuple[str, ...] = ()
    """Config lists with one entry a block."""
    token_ids: dict[str, str]
    """Config key -> the special token whose id it holds."""
    special_tokens: dict[str, str]
    template_single: str | None
    template_pair: str | None
    split_pattern: str | None = None
    """How transformers splits the family's texts, NFC first, whatever a tokenizer.json says; null: as that says."""
    embeddings: tuple[str, ...]
    """The tables that `freeze_embeddings` freezes, where present; that of the tokens comes first."""
    linears: tuple[str, ...] = ()
    """The linear layers inside of a block, of any stack and config: what LoRA may target; empty: not declared."""
    layout: Layout | None = None
    """What its parameters are made of; null: a plan of it has no memory and no cost."""
    match_embeddings: bool
    """Whether the embedding states are matched where the strategy leaves it open (FACTS: the paper's choice)."""
    copied: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)
    """The paper's tables of teacher blocks to copy: (teacher's blocks, student's blocks) -> blocks."""

    def num_blocks(self, config: Shape) -> dict[str, int]:
        """Stack -> its number of blocks."""
        return {name: self.value(config, *blocks.depth) for name, blocks in self.stacks.items()}

    def width(self, config: Shape) -> int:
        """The width of the hidden states."""
        return self.value(config, self.width_field)

    def at_width(self, config: Shape, width: int) -> dict[str, int]:
        """Config key -> its value in a student of another width: the other sizes are in proportion to it."""
        whole = self.width(config)
        sizes = {key: round(self.value(config, key) * width / whole) for key in self.ffn_fields}
        if self.scaled_head_field is not None:
            sizes[self.scaled_head_field] = self.value(config, self.scaled_head_field) * width // whole
        return {**sizes, self.width_field: width}

    def heads(self, config: Shape) -> dict[str, int]:
        """Config key -> attention heads."""
        return {key: self.value(config, key) for key in self.heads_fields}

    def max_length(self, config: Shape) -> int | None:
        """The longest input in tokens that the model has positions for; None: any."""
        if self.positions_field is None:
            return None
        num_unused = 0 if self.positions_after is None else self.value(config, self.positions_after) + 1
        return self.value(config, self.positions_field) - num_unused

    def copied_blocks(self, num_teacher: int, num_student: int) -> list[int]:
        """The teacher blocks, from 1, that become the student's with init `teacher` (paper, section 4)."""
        table = self.copied.get((num_teacher, num_student))
        return even_blocks(num_teacher, num_student) if table is None else list(table)

    def value(self, config: Shape, *keys: str) -> int:
        """The first of these keys that is set, else transformers' default of the first that has one."""
        given = [config[key] for key in keys if config.get(key) is not None]
        return given[0] if given else next(self.defaults[key] for key in keys if key in self.defaults)

    def head_of(self, model: PreTrainedModel) -> HeadName:
        """The head that a model of the family has."""
        return next(head for head, each in self.models.items() if each.name == type(model).__name__)
