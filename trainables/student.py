"""A teacher's smaller student: depth, width, initial weights, adapters and projections (paper, section 4).

Shapes: B batch, T tokens, D student width, E teacher width.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from trainables.config import ModelConfig, ProjectionConfig
from trainables.errors import InputError, Problem, raise_all
from trainables.families import adapters, fitting, making
from trainables.families.base import Family
from trainables.families.draws import seeded
from trainables.families.states import stacks_of
from trainables.seeds import stream
from trainables.strategies import StateMapping

PROJECTIONS = "projections.safetensors"


class Student(nn.Module):
    """The student's model and, where its width is not the teacher's, a trained projection for each state."""

    def __init__(
        self, model: PreTrainedModel, projections: nn.ModuleDict, form: Literal["merged", "adapter"] = "merged"
    ) -> None:
        super().__init__()
        self.model = model
        self.projections = projections
        self.form: Literal["merged", "adapter"] = form

    def project(self, stack: str, state: int, hidden: Tensor) -> Tensor:
        """Projects a student state [B, T, D] to the teacher's width, [B, T, E]."""
        if not self.projections:
            return hidden
        return self.projections.get_submodule(f"{stack}.{state}")(hidden)

    def comparable(self, state: int, mapping: StateMapping) -> bool:
        """Whether a state can be compared with the teacher's: it has the same width, or a trained projection."""
        is_trained = all(parameter.requires_grad for parameter in self.projections.parameters())
        return not self.projections or (is_trained and state in mapping)

    def save(self, folder: Path) -> None:
        """Writes the model for plain transformers, with its adapters as `form` says, and any projections beside it."""
        adapters.save(self.model, folder, self.form)
        if self.projections:
            save_file(self.projections.state_dict(), folder / PROJECTIONS)


def build(
    family: Family,
    teacher: PreTrainedModel,
    config: ModelConfig,
    init: str,
    seed: int,
    copied: Mapping[str, Sequence[int]] | None = None,
) -> Student:
    """A student in eval mode on the CPU; init `random` uses only the teacher's config.

    `copied`: stack -> the teacher's blocks whose weights are copied; None: those of the family.

    Raises InputError where the teacher cannot have such a student.
    """
    shape = teacher.config.to_dict()
    raise_all(fitting.student_problems(family, shape, config.student_blocks, config.student_width, init))
    student_config = making.student_config(family, teacher.config, config.student_blocks, config.student_width)
    model = making.build(family, student_config, family.head_of(teacher), seed=seed)
    if init != "random":
        copy_weights(family, teacher, model, copied, copy_classifier=config.copy_classifier)
    if teacher.can_generate():
        model.generation_config = copy.deepcopy(teacher.generation_config)
    projections = _projections(family, teacher, model, config.projection, seed)
    if config.student_lora is None:
        return Student(model, projections).eval()
    adapters.add(family, model, config.student_lora, "model.lora.student", seed)
    return Student(model, projections, config.student_lora.save).eval()


def copy_weights(
    family: Family,
    teacher: PreTrainedModel,
    student: PreTrainedModel,
    copied: Mapping[str, Sequence[int]] | None = None,
    *,
    copy_classifier: bool,
) -> None:
    """Copies the teacher's chosen blocks, and everything outside blocks, into a student of its width.

    Weights are loaded by name: a copied module would keep the index of its block in the teacher.
    """
    teacher_stacks = stacks_of(family, teacher)
    for name, blocks in stacks_of(family, student).items():
        teachers = teacher_stacks[name]
        # Weights that only a first block has (T5's relative positions) come from the teacher's first block.
        first = teachers[0].state_dict()
        numbers = copied[name] if copied else family.copied_blocks(len(teachers), len(blocks))
        for block, number in zip(blocks, numbers, strict=True):
            source = {**first, **teachers[number - 1].state_dict()}
            block.load_state_dict({key: source[key] for key in block.state_dict()})
    in_blocks = tuple(f"{blocks.path}." for blocks in family.stacks.values())
    outputs = family.models[family.head_of(teacher)].outputs
    left_out = in_blocks if copy_classifier else in_blocks + outputs
    outside = {key: value for key, value in teacher.state_dict().items() if not key.startswith(left_out)}
    loaded = student.load_state_dict(outside, strict=False)
    assert not loaded.unexpected_keys
    assert all(key.startswith(left_out) for key in loaded.missing_keys)


def freeze_embeddings(family: Family, model: PreTrainedModel) -> None:
    """Freezes the embedding tables, including positions, and with them an LM head that is tied to them."""
    for path in family.embeddings:
        model.get_submodule(path).requires_grad_(False)


def checkpoint_blocks(model: PreTrainedModel, path: str) -> None:
    """Enables gradient checkpointing: training computes blocks again for the backward pass, with the same dropout.

    Hooks at blocks see only the first pass, because transformers checkpoints the inside of blocks. Raises InputError
    where it does not support this for the model; `path` is that of the training section in the config.
    """
    if not model.supports_gradient_checkpointing:
        message = f"got true; transformers has none for {type(model).__name__}"
        raise InputError([Problem(f"{path}.gradient_checkpointing", message)])
    model.activation_checkpointing_enable({"use_reentrant": False})
    model.disable_input_require_grads()  # only reentrant checkpoints need them; frozen embeddings get no gradient


def _projections(
    family: Family, teacher: PreTrainedModel, model: PreTrainedModel, config: ProjectionConfig, seed: int
) -> nn.ModuleDict:
    """Stack -> a linear map D -> E per state; empty where the widths are equal."""
    width, teacher_width = family.width(model.config.to_dict()), family.width(teacher.config.to_dict())
    if width == teacher_width:
        return nn.ModuleDict()
    with seeded(stream(seed, "projection")):
        return nn.ModuleDict(
            {
                name: nn.ModuleList(_projection(width, teacher_width, config) for _ in range(len(blocks) + 1))
                for name, blocks in stacks_of(family, model).items()
            }
        )


def _projection(width: int, teacher_width: int, config: ProjectionConfig) -> nn.Linear:
    """One map D -> E. `uniform` is torch's default, which shrinks a state's RMS by 1/sqrt(3) on average."""
    projection = nn.Linear(width, teacher_width, bias=config.bias)
    if config.start == "uniform":
        return projection
    if config.start == "orthogonal":
        nn.init.orthogonal_(projection.weight)
    else:
        nn.init.normal_(projection.weight, std=width**-0.5)
    if config.bias:
        nn.init.zeros_(projection.bias)
    return projection
