"""What a trial holds in the memory of its GPU, by arithmetic on the shape of its models; no torch.

An estimate from above, which a test holds within 15% of what was measured on a GPU. Activations are counted by the
tensors that a block keeps for its backward pass where attention is fused, as it is on a GPU: no kernel keeps weights of
pairs of tokens. A trial is at its height at one of three times: at the end of a forward pass, at the end of a backward
pass, or in the test with the best model. Not counted: what the allocator loses between tensors, and the key and value
cache of generation, which is smaller than a training step.

T tokens of a micro-batch, padding included: its examples times `task.max_length`, in each stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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
"""What is held, by name."""

WEIGHT = 4
"""Weights are held in fp32, and autocast computes with copies in bf16, but for those of frozen linear layers: where a
trial computes in bf16 they are held so."""
COPY = 2
WORKSPACE = 2**27
"""cuBLAS's workspaces, which torch's allocator holds, and what it rounds up."""
CUDA = 3 * 2**29
"""CUDA's context and the kernels, and `WORKSPACE`."""
OPTIMIZER = {"adamw": 8, "adafactor": 0}
"""Of a trained weight: AdamW's two moments in fp32; Adafactor's are a row and a column of each matrix."""
STUDENT_LOGITS, TEACHER_LOGITS = 8, 3
"""Copies of the logits, in fp32, at the height of a step: both models' own, CE's log-softmax, and of KL two of them,
the teacher's exponentials, the differences and their products; a teacher that is trained has its own, the selected
ones and CE's log-softmax."""


class _Weights(NamedTuple):
    """The weights of a student."""

    held: int
    """Bytes."""
    trained: int
    """Parameters, with those of projections."""
    adapters: int
    """Parameters of adapters."""


def _weights(config: TrialConfig, family: Family, shape: Shape, head: Head, *, is_shared: bool = False) -> _Weights:
    """`is_shared`: without frozen weights that are copies of the teacher's, which a cohort holds once."""
    model = config.model
    small = student_shape(family, shape, model.student_blocks, model.student_width)
    counts, projections = count(family, small, head), _projections(family, shape, small)
    if not model.student_lora:
        trained = counts.total - counts.embeddings * config.train.freeze_embeddings
        return _Weights((counts.total + projections) * WEIGHT, trained + projections, 0)
    adapters = lora(family, small, model.student_lora.r, model.student_lora.targets)
    trained = adapters + projections + counts.head * head.has_labels  # such a head is always trained
    if is_shared and config.init != "random" and model.student_width is None:
        return _Weights(trained * WEIGHT, trained, adapters)
    base = counts.total * WEIGHT - _held(family, small, config, head, is_trained=True) * (WEIGHT - COPY)
    return _Weights(base + (adapters + projections) * WEIGHT, trained, adapters)


class Member(NamedTuple):
    """One student of a cohort."""

    alone: Bytes
    """What it holds beside its teacher: `of_trial`."""
    beside: Bytes
    """What it holds while another student computes: its own weights, gradients and the optimizer's state."""


def of_member(config: TrialConfig, family: Family, shape: Shape, head: Head) -> Member:
    """One student of a cohort."""
    weights = _weights(config, family, shape, head, is_shared=True)
    beside = {
        "student": weights.held,
        "optimizer": weights.trained * OPTIMIZER[config.train.optimizer],
        "gradients": weights.trained * WEIGHT,
    }
    return Member(of_trial(config, family, shape, head), beside)


def of_cohort(members: Sequence[Member], num_gpus: int = 1) -> Bytes:
    """Students in lockstep under one teacher, at the time at which the one that needs most alone computes.

    Of several GPUs the first is the teacher's, and this is the memory of the one of the others that needs most.
    """
    num_parts = max(1, num_gpus - 1)
    parts = [_lockstep(part) for start in range(num_parts) if (part := members[start::num_parts])]
    return _higher(*(parts if num_gpus < 2 else map(without_teacher, parts)))


def without_teacher(parts: Bytes) -> Bytes:
    """What is held on a GPU of students whose teacher is on another one."""
    return {name: size for name, size in parts.items() if name != "teacher"}


def _lockstep(members: Sequence[Member]) -> Bytes:
    """Students beside their teacher on one GPU."""
    largest = max(range(len(members)), key=lambda index: sum(members[index].alone.values()))
    total = dict(members[largest].alone)
    for index, member in enumerate(members):
        if index != largest:
            for name, size in member.beside.items():
                total[name] = total.get(name, 0) + size
    return total


def of_trial(config: TrialConfig, family: Family, shape: Shape, head: Head) -> Bytes:
    """A student beside its teacher: the parts at the time at which they need most together."""
    assert config.dtype != "auto"
    model, task, train = config.model, config.task, config.train
    small = student_shape(family, shape, model.student_blocks, model.student_width)
    held, trained, adapters = _weights(config, family, shape, head)
    length, examples = task.max_length, train.batch_size
    forward = {
        "bf16 copies": _copies(family, small, config.dtype, head, adapters),
        "activations": examples * activations(family, small, length, config.dtype, train),
        "states": examples * (_states(family, shape, length) + _student_states(family, shape, small, length, config)),
        "logits": examples * _logits(family, shape, head, length) * STUDENT_LOGITS,
    }
    learning = _learning(trained, 0 if adapters else _table(family, small, head, train), train, forward)
    tested = {
        "optimizer": learning["optimizer"],
        "best student": _ready(family, small, config, head),
        "states": examples * _states(family, small, length),
        "logits": examples * _logits(family, small, head, length),
    }
    return {
        "teacher": _ready(family, shape, config, head),
        "student": held,
        **_higher(learning, tested),
        "CUDA": CUDA,
    }


def of_teachers_gpu(config: TrialConfig, family: Family, shape: Shape, head: Head) -> Bytes:
    """A ready teacher whose students are on other GPUs, at a forward pass."""
    assert config.dtype != "auto"
    length, examples = config.task.max_length, config.train.batch_size
    return {
        "teacher": _ready(family, shape, config, head),
        "bf16 copies": _copies(family, shape, config.dtype, head, 0),
        "states": examples * _states(family, shape, length),
        "logits": examples * _logits(family, shape, head, length),
        "CUDA": CUDA,
    }


def of_teacher(config: TrialConfig, family: Family, shape: Shape, head: Head) -> Bytes:
    """A teacher being made, or a ready one being measured."""
    ready = _ready(family, shape, config, head)
    train = config.model.finetune
    if train is None:
        return {"teacher": ready, "CUDA": CUDA}
    learning = of_learning_teacher(config, train, family, shape, head)
    tested = {
        "teacher": learning["teacher"],
        "optimizer": learning["optimizer"],
        "best teacher": ready,
        "states": train.batch_size * _states(family, shape, config.task.max_length),
        "logits": train.batch_size * _logits(family, shape, head, config.task.max_length),
        "CUDA": CUDA,
    }
    return _higher(learning, tested)


def of_learning_teacher(config: TrialConfig, train: TrainConfig, family: Family, shape: Shape, head: Head) -> Bytes:
    """A teacher being trained, before the best one is loaded beside it for the test."""
    assert config.dtype != "auto"
    counts = count(family, shape, head)
    trained, adapters, halved = counts.total - counts.embeddings * train.freeze_embeddings, 0, 0
    if config.model.teacher_lora:
        halved = _held(family, shape, config, head, is_trained=True)
        trained = adapters = lora(family, shape, config.model.teacher_lora.r, config.model.teacher_lora.targets)
    length, examples = config.task.max_length, train.batch_size
    # A checkpointed block keeps its input, which is the state.
    states = 0 if train.gradient_checkpointing else _states(family, shape, length)
    forward = {
        "bf16 copies": _copies(family, shape, config.dtype, head, adapters),
        "activations": examples * activations(family, shape, length, config.dtype, train),
        "states": examples * states,
        "logits": examples * _logits(family, shape, head, length) * TEACHER_LOGITS,
    }
    return {
        "teacher": (counts.total + adapters) * WEIGHT - halved * (WEIGHT - COPY),
        **_learning(trained, 0 if adapters else _table(family, shape, head, train), train, forward),
        "CUDA": CUDA,
    }


def activations(family: Family, shape: Shape, length: int, dtype: Dtype, train: TrainConfig) -> int:
    """Bytes that the blocks of all stacks keep for the backward pass, for one example.

    With gradient checkpointing a block keeps its input, and the one that is computed again all of its own.
    """
    total = 0
    for stack, depth in family.num_blocks(shape).items():
        whole = length * _token_bytes(family, shape, stack, length, dtype)
        if train.gradient_checkpointing:
            total += depth * length * family.width(shape) * WEIGHT + whole
        else:
            total += depth * whole
    return total


def _token_bytes(family: Family, shape: Shape, stack: str, length: int, dtype: Dtype) -> int:
    """Bytes that one block keeps of a token.

    `each` is the size of what linear layers take and give: under autocast each of them has its input cast anew, so
    that queries, keys and values have three inputs. Every part has the norm's input in fp32, the mask of its dropout,
    and 2 bytes per width of slack. An RMSNorm keeps what it normed too, and the norms of heads keep their inputs. A
    bias of relative positions is kept for each pair of tokens.
    """
    sizes, layout = stack_sizes(family, shape, stack), layout_of(family)
    each, num_inputs = (COPY, 3) if dtype == "bf16" else (WEIGHT, 1)
    around = (WEIGHT + (0 if layout.norm_biases else WEIGHT) + 2) * sizes.width
    attention = num_inputs * each * sizes.width + each * 2 * (sizes.inner + sizes.keys) + around
    if family.form == "decoder":  # rotated queries and keys, and keys and values that are repeated for each query
        attention += each * 2 * sizes.inner
    if layout.relative_field:
        attention += each * sizes.heads * length
    if layout.norms_heads:
        attention += (WEIGHT + each) * (sizes.inner + sizes.keys)
    num_inputs, num_inner = (min(num_inputs, 2), 4) if is_gated(family, shape) else (1, 2)
    feed_forward = num_inputs * each * sizes.width + (num_inner * each + 1) * sizes.ffn + around
    return attentions(family, stack) * attention + feed_forward


def _learning(trained: int, table: int, train: TrainConfig, forward: Bytes) -> Bytes:
    """Gradients, the optimizer's state, and at the end of a forward pass what it keeps.

    Activations are freed while gradients are made. That of the LM head (`table`: its trained parameters) is made while
    all of them are held, and those of earlier micro-batches are there all the while.
    """
    early = trained if train.accumulation > 1 else table
    optimizer = {"optimizer": trained * OPTIMIZER[train.optimizer]}
    return {**optimizer, **_higher({"gradients": early * WEIGHT, **forward}, {"gradients": trained * WEIGHT})}


def _ready(family: Family, shape: Shape, config: TrialConfig, head: Head) -> int:
    """Bytes of a model that is not trained."""
    total = count(family, shape, head).total
    return total * WEIGHT - _held(family, shape, config, head, is_trained=False) * (WEIGHT - COPY)


def _held(family: Family, shape: Shape, config: TrialConfig, head: Head, *, is_trained: bool) -> int:
    """Parameters held in bf16 where all that a trial may freeze is frozen; it always trains a head with labels."""
    if config.dtype == "fp32":
        return 0
    is_head_trained = is_trained and head.has_labels
    return bf16_parameters(family, shape) + (0 if is_head_trained else count(family, shape, head).head)


def _copies(family: Family, shape: Shape, dtype: Dtype, head: Head, adapters: int) -> int:
    """What autocast makes of the blocks' linear layers and the LM head, and the backward pass needs.

    Beside adapters there is none of a layer that is held in bf16.
    """
    if dtype == "fp32":
        return 0
    is_table_held = adapters and count(family, shape, head).head
    table = 0 if head.has_labels or is_table_held else _vocabulary_table(family, shape, head)
    return COPY * (adapters + table) + COPY * sum(
        depth * each.inputs * each.outputs
        for stack, depth in family.num_blocks(shape).items()
        for each in block_linears(family, shape, stack)
        if not adapters or each.role in layout_of(family).wide
    )


def _table(family: Family, shape: Shape, head: Head, train: TrainConfig) -> int:
    """Parameters of the LM head, where it is trained."""
    is_tied = not count(family, shape, head).head
    return 0 if head.has_labels or (is_tied and train.freeze_embeddings) else _vocabulary_table(family, shape, head)


def _vocabulary_table(family: Family, shape: Shape, head: Head) -> int:
    return outputs_per_token(family, shape, head) * family.width(shape)


def _states(family: Family, shape: Shape, length: int) -> int:
    """All states of a pass, for one example."""
    return sum(depth + 1 for depth in family.num_blocks(shape).values()) * length * family.width(shape) * WEIGHT


def _student_states(family: Family, shape: Shape, student: Shape, length: int, config: TrialConfig) -> int:
    """The student's states, what every matched pair keeps in the teacher's width, and one pair's distance.

    A pair keeps the difference; where states are normed, both sides of it too.
    """
    num_pairs = sum(depth + 1 for depth in family.num_blocks(student).values())
    each = 1 if config.losses.hidden_norm == "none" else 3
    return _states(family, student, length) + (each * num_pairs + 3) * length * family.width(shape) * WEIGHT


def _logits(family: Family, shape: Shape, head: Head, length: int) -> int:
    """One copy of the logits of one example; those of a whole text are nothing beside the rest."""
    return length * outputs_per_token(family, shape, head) * WEIGHT


def _projections(family: Family, shape: Shape, student: Shape) -> int:
    width, teacher_width = family.width(student), family.width(shape)
    num_states = sum(depth + 1 for depth in family.num_blocks(student).values())
    return 0 if width == teacher_width else num_states * width * teacher_width


def _higher(*times: Bytes) -> Bytes:
    """What is held at the time that needs most."""
    return max(times, key=lambda parts: sum(parts.values()))
