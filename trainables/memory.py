"""The GPU memory that a trial needs, computed from the shapes of its models without torch.

The estimate is an upper bound: activations follow from the tensors that a block keeps for its backward pass, and are 1
to 1.75 times what torch keeps. It leaves out fragmentation in the allocator, and the key and value cache of generation,
which is smaller than a training step.

A micro-batch counts with padding: its examples times `task.max_length` tokens in each stack.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainables.config import TrainConfig, TrialConfig
from trainables.device import Dtype
from trainables.families.base import Family, Shape
from trainables.families.counts import (
    attentions,
    bf16_parameters,
    block_linears,
    count,
    is_gated,
    layout_of,
    lora,
    outputs_per_token,
    stack_sizes,
    student_shape,
)
from trainables.heads import Head

Bytes = dict[str, int]
"""The bytes of each part, by name."""

WEIGHT = 4
"""Bytes of a weight: weights are kept in fp32, and autocast computes with bf16 copies. Only frozen linear layers are
kept in bf16, where a trial computes in it."""
COPY = 2
"""Bytes of a weight in bf16."""
CUDA = 3 * 2**29
"""Bytes of CUDA's context, cuBLAS's workspace and the kernels."""
ACTIVATION: dict[Dtype, int] = {"fp32": 4, "bf16": 3}
"""Bytes of an element that is kept for the backward pass; under autocast some are in bf16 and some in fp32."""
OPTIMIZER = {"adamw": 8, "adafactor": 0}
"""Bytes per trained weight: AdamW's two moments in fp32; Adafactor keeps only a row and a column per matrix."""
STUDENT_LOGITS, TEACHER_LOGITS = 8, 4
"""Copies of the logits in fp32 at the peak of a step: a student's KL and CE need log-softmaxes of both models, and
gradients; a teacher that is trained needs those of CE alone."""


def of_trial(config: TrialConfig, family: Family, shape: Shape, head: Head) -> Bytes:
    """A student with its teacher, at the peak of a step or with the best student loaded for the test."""
    assert config.dtype != "auto"
    model, task, train = config.model, config.task, config.train
    small = student_shape(family, shape, model.student_blocks, model.student_width)
    student = count(family, small, head).total
    trained, adapters, halved = student, 0, 0
    if model.student_lora:
        halved = _held(family, small, config, head, is_trained=True)
        trained = adapters = lora(family, small, model.student_lora.r, model.student_lora.targets)
    projections = _projections(family, shape, small)
    length, examples = task.max_length, train.batch_size
    step = {
        "bf16 copies": _copies(family, small, config.dtype, adapters),
        "activations": examples * activations(family, small, length, config.dtype, train),
        "teacher states": examples * _teacher_states(family, shape, small, length),
        "logits": examples * _logits(family, shape, head, length) * STUDENT_LOGITS,
    }
    return {
        "teacher": _ready(family, shape, config, head),
        "student": (student + adapters + projections) * WEIGHT - halved * (WEIGHT - COPY),
        **_learning(trained + projections, train),
        **_peak(step, {"best student": _ready(family, small, config, head)}),
        "CUDA": CUDA,
    }


def of_teacher(config: TrialConfig, family: Family, shape: Shape, head: Head) -> Bytes:
    """A teacher that is trained, or one that is used as it is and measured."""
    assert config.dtype != "auto"
    task, train = config.task, config.model.finetune
    weights = count(family, shape, head).total
    ready = _ready(family, shape, config, head)
    if train is None:
        return {"teacher": ready, "CUDA": CUDA}
    trained, adapters, halved = weights, 0, 0
    if config.model.teacher_lora:
        halved = _held(family, shape, config, head, is_trained=True)
        trained = adapters = lora(family, shape, config.model.teacher_lora.r, config.model.teacher_lora.targets)
    step = {
        "bf16 copies": _copies(family, shape, config.dtype, adapters),
        "activations": train.batch_size * activations(family, shape, task.max_length, config.dtype, train),
        "logits": train.batch_size * _logits(family, shape, head, task.max_length) * TEACHER_LOGITS,
    }
    return {
        "teacher": (weights + adapters) * WEIGHT - halved * (WEIGHT - COPY),
        **_learning(trained, train),
        **_peak(step, {"best teacher": ready}),
        "CUDA": CUDA,
    }


def activations(family: Family, shape: Shape, length: int, dtype: Dtype, train: TrainConfig) -> int:
    """Bytes that the blocks of all stacks keep for the backward pass of one example.

    With gradient checkpointing every block keeps its input, and the block that is computed again keeps everything.
    """
    total = 0
    for stack, depth in family.num_blocks(shape).items():
        per_block = length * (
            _token_elements(family, shape, stack) * ACTIVATION[dtype]
            + _pair_elements(family, shape, stack, length) * WEIGHT
        )
        if train.gradient_checkpointing:
            total += depth * length * family.width(shape) * WEIGHT + per_block
        else:
            total += depth * per_block
    return total


def _token_elements(family: Family, shape: Shape, stack: str) -> int:
    """Elements that one block keeps per token.

    Attention keeps 4 widths (input, norm, residual), 6 query widths (queries and what follows from them) and 2 key
    widths (keys and values). The feed-forward part keeps 3 widths, and 2 of its inner widths, or 4 with a gate.
    """
    sizes = stack_sizes(family, shape, stack)
    attention = 4 * sizes.width + 6 * sizes.inner + 2 * sizes.keys
    feed_forward = 3 * sizes.width + (4 if is_gated(family, shape) else 2) * sizes.ffn
    return attentions(family, stack) * attention + feed_forward


def _pair_elements(family: Family, shape: Shape, stack: str, length: int) -> int:
    """Elements that one block keeps per token for its pairs with all tokens, in fp32.

    They are the weights, the weights after dropout, and the dropout mask; a fused kernel keeps only the mask.
    """
    key = layout_of(family).attention_dropout
    is_fused = key is not None and not shape.get(*key)
    each = 1 if is_fused else 3 * stack_sizes(family, shape, stack).heads
    return attentions(family, stack) * each * length


def _learning(trained: int, train: TrainConfig) -> Bytes:
    return {"gradients": trained * WEIGHT, "optimizer": trained * OPTIMIZER[train.optimizer]}


def _ready(family: Family, shape: Shape, config: TrialConfig, head: Head) -> int:
    """Bytes of a model that is not trained."""
    total = count(family, shape, head).total
    return total * WEIGHT - _held(family, shape, config, head, is_trained=False) * (WEIGHT - COPY)


def _held(family: Family, shape: Shape, config: TrialConfig, head: Head, *, is_trained: bool) -> int:
    """Parameters that are kept in bf16 where a trial freezes all that it may; it always trains a head with labels."""
    if config.dtype == "fp32":
        return 0
    is_head_trained = is_trained and head.has_labels
    return bf16_parameters(family, shape) + (0 if is_head_trained else count(family, shape, head).head)


def _copies(family: Family, shape: Shape, dtype: Dtype, adapters: int) -> int:
    """Bytes of autocast's copies of the blocks' linear layers, which the backward pass needs.

    Beside adapters, layers that are kept in bf16 need no copy.
    """
    if dtype == "fp32":
        return 0
    return COPY * adapters + COPY * sum(
        depth * each.inputs * each.outputs
        for stack, depth in family.num_blocks(shape).items()
        for each in block_linears(family, shape, stack)
        if not adapters or each.role in layout_of(family).wide
    )


def _teacher_states(family: Family, shape: Shape, student: Shape, length: int) -> int:
    """Bytes of all states of the teacher, and of three tensors of its width per matched pair, for one example."""
    depths = family.num_blocks(student)
    states = sum(depth + 1 + 3 * (depths[stack] + 1) for stack, depth in family.num_blocks(shape).items())
    return states * length * family.width(shape) * WEIGHT


def _logits(family: Family, shape: Shape, head: Head, length: int) -> int:
    """Bytes of one copy of the logits of one example; those of one label per text are negligible."""
    return length * outputs_per_token(family, shape, head) * WEIGHT


def _projections(family: Family, shape: Shape, student: Shape) -> int:
    width, teacher_width = family.width(student), family.width(shape)
    num_states = sum(depth + 1 for depth in family.num_blocks(student).values())
    return 0 if width == teacher_width else num_states * width * teacher_width


def _peak(*phases: Mapping[str, int]) -> Bytes:
    """The parts of the phase that needs most memory."""
    return dict(max(phases, key=lambda parts: sum(parts.values())))
