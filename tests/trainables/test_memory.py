"""The memory of a trial: the formula for activations against what torch keeps, and whole trials by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.shapes import SHAPES
from tests.trainables.families.settings import SETTINGS, Setting
from tests.trainables.families.test_counts import QWEN3_8B
from trainables import device as devices
from trainables import memory, student
from trainables.config import LoraConfig, TrainConfig, TrialConfig
from trainables.device import Dtype
from trainables.families import FAMILIES, adapters
from trainables.families.base import Family
from trainables.families.counts import block_linears
from trainables.families.states import forward
from trainables.families.tiny import WIDTH, Tiny, shape
from trainables.frozen import hold
from trainables.heads import LANGUAGE_MODEL, Head
from trainables.shared_weights import SharedWeights

EXAMPLES, TOKENS = 4, 48
MOST = 1.4
"""The formula over what a CPU keeps."""
NO_DROPOUT: dict[str, dict[str, float]] = {
    **{name: {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0} for name in ("bert", "roberta")},
    "distilbert": {"dropout": 0.0, "attention_dropout": 0.0},
    "bart": {"dropout": 0.0},
    "t5": {"dropout_rate": 0.0},
}
"""Without dropout a CPU's attention is fused as a GPU's is; with it, it keeps weights of pairs of tokens."""
MEASURED = {
    "bert-base": (1590, 3245),
    "t5-base": (2385, 2961),
    "bart-large": (4462, 9377),
    "qwen3-8b": (31909, 19721),
}
"""MiB at the height of a student's trial, and of a teacher's training, by torch's allocator on an NVIDIA H200 on
2026-11-27 (tests/gpu/test_memory.py, texts of full length, bf16)."""


def tiny(family: Family, depth: int, scale: int) -> Tiny:
    """A teacher of a width that is `scale` times the tiny one, with heads of the usual size beside it."""
    fields = shape(family) | {blocks.depth[0]: depth for blocks in family.stacks.values()}
    fields |= {family.width_field: WIDTH * scale} | dict.fromkeys(family.ffn_fields, 4 * WIDTH * scale)
    head = family.layout.head_field if family.layout else None
    fields |= {head: WIDTH * scale // 4} if head else {}
    fields |= {family.positions_field: 2 * TOKENS} if family.positions_field else {}
    return Tiny(family, "sequence_classification" if family.form == "encoder" else "language_model", fields)


def kept(model: Any, family: Family, dtype: Dtype) -> int:
    """Bytes that torch keeps for the backward pass of a batch, without the weights themselves."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    tensors: dict[int, tuple[int, Tensor]] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            tensors[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    ids_BT = torch.randint(5, 30, (EXAMPLES, TOKENS), generator=torch.Generator().manual_seed(0))
    mask_BT = torch.ones_like(ids_BT)
    mask_BT[0, TOKENS // 2 :] = 0
    labels = torch.zeros(EXAMPLES, dtype=torch.long) if family.form == "encoder" else ids_BT
    batch = {"input_ids": ids_BT, "attention_mask": mask_BT, "labels": labels}
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, devices.autocast(torch.device("cpu"), dtype):
        outputs = forward(family, model, batch)
    assert outputs.logits.requires_grad
    return sum(size for size, _ in tensors.values())


def kept_by_two_blocks(family: Family, dtype: Dtype, scale: int, *, checkpoints: bool) -> tuple[int, Any]:
    """What a model of four blocks per stack keeps beyond one of two, and the config of the latter."""
    sizes: list[int] = []
    for depth in (2, 4):
        model = tiny(family, depth, scale).teacher(**NO_DROPOUT.get(family.name, {})).requires_grad_(True).train()
        for path, parameter in model.named_parameters():
            if "relative_attention_bias" in path:  # a CPU's fused attention takes none that is trained
                parameter.requires_grad_(False)
        if checkpoints:
            student.checkpoint_blocks(model, "train")
        sizes.append(kept(model, family, dtype))
        model.config.use_cache = False
    two = tiny(family, 2, scale).teacher().config.to_dict()
    return sizes[1] - sizes[0], two


@pytest.mark.parametrize("scale", [2, 8])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("name", FAMILIES)
def test_activations_are_bounded_from_above(name: str, dtype: Dtype, scale: int) -> None:
    """Masks of dropout are counted, which these models lack; a test of what a GPU holds bounds them."""
    family = FAMILIES[name]
    found, two = kept_by_two_blocks(family, dtype, scale, checkpoints=False)
    if dtype == "bf16":
        linears = [each for stack in family.stacks for each in block_linears(family, two, stack)]
        found -= (
            2 * 2 * sum(each.inputs * each.outputs for each in linears)
        )  # copies of the weights, which are counted apart
    given = EXAMPLES * memory.activations(family, two, TOKENS, dtype, TrainConfig())
    assert 1 <= given / found <= MOST


@pytest.mark.parametrize("name", FAMILIES)
def test_a_checkpointed_block_keeps_its_input(name: str) -> None:
    family = FAMILIES[name]
    found, two = kept_by_two_blocks(family, "fp32", 4, checkpoints=True)
    four = {**two, **{blocks.depth[0]: 4 for blocks in family.stacks.values()}}
    train = TrainConfig(gradient_checkpointing=True)
    given = [memory.activations(family, each, TOKENS, "fp32", train) for each in (two, four)]
    assert found == EXAMPLES * (given[1] - given[0])


@pytest.mark.parametrize("name", MEASURED)
def test_estimates_are_at_most_15_percent_above_what_a_gpu_held(name: str) -> None:
    a_shape = SHAPES[name]
    config, given = a_shape.config("bf16"), (a_shape.of(), a_shape.teacher, a_shape.head())
    assert config.model.finetune is not None
    estimates = memory.of_trial(config, *given), memory.of_learning_teacher(config, config.model.finetune, *given)
    for estimate, measured in zip(estimates, MEASURED[name], strict=True):
        # CUDA's context and kernels are not the allocator's.
        in_allocator = sum(estimate.values()) - memory.CUDA + memory.WORKSPACE
        assert 1 <= in_allocator / 2**20 / measured <= 1.15


def trial(**fields: Any) -> TrialConfig:
    model = {"name": "q", "family": "qwen3", "teacher": "Qwen/Qwen3-8B", "student_blocks": 9, **fields.pop("model", {})}
    base = {"task": "hellaswag", "dtype": "bf16", "train": {"batch_size": 3, "gradient_checkpointing": True}}
    return TrialConfig.model_validate({**base, "model": model, **fields})


WHOLE = {"finetune": {"batch_size": 6}}
ADAPTED = {**WHOLE, "lora": {"teacher": {"r": 32}, "student": {"r": 128}}}
LINEARS = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 12288
"""Weights of a block of Qwen3-8B in linear layers: q and o, k and v, gate and up and down."""
BLOCK = LINEARS + 2 * 4096 + 2 * 128
"""All of them: its norms too, and those of its heads."""
TABLE = 151936 * 4096
"""The embeddings, or the head."""
TABLES = 2 * TABLE


def frozen(num_blocks: int) -> int:
    """Bytes: what is linear in bf16, embeddings and norms in fp32."""
    return 2 * (num_blocks * LINEARS + TABLE) + 4 * (TABLE + num_blocks * (BLOCK - LINEARS) + 4096)


def test_qwen3_8b_by_hand() -> None:
    given = memory.of_trial(trial(model=ADAPTED), FAMILIES["qwen3"], QWEN3_8B, LANGUAGE_MODEL)
    student = 9 * BLOCK + TABLES + 4096
    # Rank 128 between the inputs and the outputs of q, k, v, o, gate, up and down.
    adapters = 9 * 128 * (8192 + 2 * (4096 + 1024) + 8192 + 3 * (4096 + 12288))
    assert given == {
        "teacher": frozen(36),
        "student": frozen(9) + 4 * adapters,
        "optimizer": 8 * adapters,
        "best student": frozen(9),
        "states": 3 * 192 * 10 * 4096 * 4,
        "logits": 3 * 192 * 151936 * 4,
        "CUDA": memory.CUDA,
    }
    in_fp32 = memory.of_trial(trial(model=ADAPTED, dtype="fp32"), FAMILIES["qwen3"], QWEN3_8B, LANGUAGE_MODEL)
    assert in_fp32["teacher"] == 4 * (36 * BLOCK + TABLES + 4096)
    assert in_fp32["student"] == 4 * (student + adapters)
    assert in_fp32["best student"] == 4 * student


def test_a_step_by_hand() -> None:
    """Where a step needs more than the test does."""
    config = trial(model=WHOLE, train={"batch_size": 16, "optimizer": "adafactor"})
    given = memory.of_trial(config, FAMILIES["qwen3"], QWEN3_8B, LANGUAGE_MODEL)
    tokens = 16 * 192
    around = (4 + 4 + 2) * 4096
    rotated_and_repeated, norms_of_heads = 4 * 4096, 6 * (4096 + 1024)
    attention = 3 * 2 * 4096 + 4 * (4096 + 1024) + rotated_and_repeated + norms_of_heads + around
    feed_forward = 2 * 2 * 4096 + (4 * 2 + 1) * 12288 + around
    assert given["optimizer"] == 0
    assert given["gradients"] == 4 * TABLE
    assert given["bf16 copies"] == 2 * (9 * LINEARS + TABLE)
    assert given["activations"] == tokens * 9 * (attention + feed_forward)
    assert given["states"] == tokens * 4096 * 4 * (37 + 10 + 10 + 3)
    assert given["logits"] == tokens * 151936 * 4 * 8
    assert "best student" not in given
    tagged = memory.of_trial(config, FAMILIES["qwen3"], QWEN3_8B, Head("token_classification", tuple("abcdefghi")))
    assert tagged["logits"] == tokens * 9 * 4 * 8
    assert memory.of_trial(config, FAMILIES["qwen3"], QWEN3_8B, Head("sequence_classification", ("a",)))["logits"] == 0


def test_an_8_billion_teacher_and_its_student_fit_80_gb() -> None:
    """A student of 9 blocks whole or with adapters, its teacher only through adapters while it is made."""
    totals = {
        name: [
            sum(of(trial(model=model), FAMILIES["qwen3"], QWEN3_8B, LANGUAGE_MODEL).values()) / 1e9
            for of in (memory.of_teacher, memory.of_trial)
        ]
        for name, model in (("adapted", ADAPTED), ("whole", WHOLE))
    }
    assert max(totals["adapted"]) < 40
    assert totals["whole"][0] > 80 > totals["whole"][1]


def test_a_ready_teacher_is_only_measured() -> None:
    given = memory.of_teacher(trial(), FAMILIES["qwen3"], QWEN3_8B, LANGUAGE_MODEL)
    assert given == {"teacher": frozen(36), "CUDA": memory.CUDA}


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_weights_are_those_that_a_model_has(setting: Setting) -> None:
    """Frozen whole, as a teacher is, and but for its adapters and heads, as a student is; to the byte."""
    family, given = setting.family, sized(setting)
    ready = hold(setting.teacher(), "bf16")
    teacher_shape = ready.config.to_dict()
    assert memory.of_teacher(given, family, teacher_shape, setting.head)["teacher"] == num_bytes(ready)
    model = setting.teacher()
    adapters.add(family, model, LoraConfig(r=2), "model.lora.student", seed=0)
    assert memory.of_trial(given, family, teacher_shape, setting.head)["student"] == num_bytes(hold(model, "bf16"))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_student_of_a_cohort_holds_what_it_does_not_share(setting: Setting) -> None:
    """Beside its adapters, a student with copies of the teacher's weights has a head of its own alone; to the byte."""
    family, given = setting.family, sized(setting)
    teacher = setting.teacher()
    student = copy.deepcopy(teacher)
    adapters.add(family, student, LoraConfig(r=2), "model.lora.student", seed=0)
    shared = SharedWeights()
    for model in (student, teacher.requires_grad_(False)):
        shared.share(hold(model, "bf16"))
    own = set(student.parameters()) - set(teacher.parameters())
    member = memory.of_member(given, family, teacher.config.to_dict(), setting.head)
    assert member.beside["student"] == sum(each.numel() * each.element_size() for each in own)
    trained = sum(each.numel() for each in student.parameters() if each.requires_grad)
    assert member.beside["gradients"] == 4 * trained
    assert member.beside["optimizer"] == 8 * trained


def test_a_cohort_is_its_largest_member_and_what_the_others_keep() -> None:
    small, large = (
        memory.Member({"teacher": 100, "student": size, "activations": 5}, {"student": size, "gradients": 2 * size})
        for size in (10, 20)
    )
    assert memory.of_cohort([large]) == large.alone
    assert memory.of_cohort([small, large, small]) == {
        "teacher": 100,
        "student": 40,
        "activations": 5,
        "gradients": 40,
    }


@pytest.mark.parametrize(("num_gpus", "num_small"), [(2, 2), (3, 0), (4, 0)])
def test_students_on_other_gpus_than_their_teacher_are_spread(num_gpus: int, num_small: int) -> None:
    """Of a large student between two small ones, the GPU with the large one needs most."""
    small, large = (
        memory.Member({"teacher": 100, "student": size, "activations": 5}, {"student": size, "gradients": 2 * size})
        for size in (10, 60)
    )
    gradients = {"gradients": 20 * num_small} if num_small else {}
    assert memory.of_cohort([small, large, small], num_gpus) == {
        "student": 60 + 10 * num_small,
        "activations": 5,
        **gradients,
    }


def sized(setting: Setting) -> TrialConfig:
    """A trial whose student has all of its teacher's blocks, adapters of rank 2, and computes in bf16."""
    depth = min(setting.family.num_blocks(setting.teacher().config.to_dict()).values())
    model = {"family": setting.family.name, "student_blocks": depth, "lora": {"student": {"r": 2}}}
    task = {"name": "t", "kind": "any", "hub": {"path": "p"}}
    return trial(model=model, task=task)


def num_bytes(model: Any) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())


def test_projections_are_trained_too() -> None:
    config = trial(model={"student_width": 2048}, init="random")
    given = memory.of_trial(config, FAMILIES["qwen3"], QWEN3_8B, LANGUAGE_MODEL)
    narrow = memory.student_shape(FAMILIES["qwen3"], QWEN3_8B, 9, 2048)
    student = memory.count(FAMILIES["qwen3"], narrow, LANGUAGE_MODEL).total
    assert given["optimizer"] == 8 * (student + 10 * 2048 * 4096)
