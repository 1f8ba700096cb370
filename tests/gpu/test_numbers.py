"""The numbers of a GPU: those of the CPU, in fp32 and in bf16, and the same ones whenever a cell is computed again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.setting import make, train
from benchmarks.shapes import Shape, shapes
from tests.trainables.golden import FILE, LOSSES, SHAPES, VARIANTS, config, losses
from tests.trainables.test_frozen import LORA, cell, trial
from trainables.device import Dtype

FP32 = 1e-4
"""Relative: what the order of a sum moves, as on another processor; another mapping, seed or mask moves more."""
BF16 = 0.02
"""What the CPU's tests allow between bf16 and fp32."""


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", SHAPES)
def test_losses_in_fp32_are_the_golden_ones(family: str, variant: str) -> None:
    seen, golden = losses(config(family, variant)), json.loads(FILE.read_text())["losses"][family][variant]
    assert not torch.backends.cuda.matmul.allow_tf32
    distances = {
        name: max(abs(x - y) / max(abs(y), 1e-30) for x, y in zip(seen[name], golden[name], strict=True))
        for name in LOSSES
    }
    print(f"\n{family} {variant}: {distances}")
    assert max(distances.values()) <= FP32


@pytest.mark.parametrize("lora", [None, {"student": LORA}], ids=["all weights", "adapters"])
@pytest.mark.parametrize("family", SHAPES)
def test_losses_in_bf16_are_near_those_in_fp32(family: str, lora: dict[str, Any] | None, tmp_path: Path) -> None:
    in_bf16, in_fp32 = (cell(trial(family, dtype, lora), tmp_path / dtype).losses() for dtype in ("bf16", "fp32"))
    print(f"\n{family}: {max(abs(x / y - 1) for x, y in zip(in_bf16, in_fp32, strict=True) if y)}")
    assert in_bf16 != in_fp32
    assert in_bf16 == pytest.approx(in_fp32, rel=BF16)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("family", SHAPES)
def test_a_whole_cell_gives_the_same_bits_again(family: str, dtype: Dtype, tmp_path: Path) -> None:
    """Losses, evaluations and the saved student."""
    given = config(family, "forward", dtype=dtype)
    one, other = (cell(given, tmp_path / name) for name in ("one", "other"))
    kept = [
        {step: {k: v for k, v in metrics.items() if "second" not in k} for step, metrics in journal.items()}
        for journal in (one, other)
    ]
    assert repr(kept[0]) == repr(kept[1])
    hashes = [
        hashlib.sha256((tmp_path / name / "cell" / "student" / "model.safetensors").read_bytes()).hexdigest()
        for name in ("one", "other")
    ]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["bert-base", "t5-base", "bart-large", "qwen3-8b"])
def test_steps_at_the_paper_s_widths_give_the_same_bits_again(name: str, dtype: Dtype, dry: bool) -> None:
    """Kernels that add up in any order do so where there is much to add: long texts, wide models, dropout on.

    Teachers have 4 blocks per stack, students as many as they may have beside them.
    """
    shape = shapes(dry=dry)[name]
    family = shape.of()
    depths = {key: 4 for blocks in family.stacks.values() for key in blocks.depth if key in shape.teacher}
    vocabulary = {"vocab_size": min(32128, shape.teacher["vocab_size"])}
    shallow = shape.changed({**depths, **vocabulary}, {"student_blocks": 2})
    seen = [_bits(shallow, dtype) for _ in range(2)]
    assert seen[0] == seen[1]


def _bits(shape: Shape, dtype: Dtype) -> tuple[list[Any], str]:
    """The losses of four steps of texts of full length, and a hash of the student after them."""
    metrics: list[Any] = []
    setting = make(shape, dtype, num_examples=64, full=True)
    train(setting, 4, lambda _, seen: metrics.append({k: v for k, v in seen.items() if "second" not in k}))
    digest = hashlib.sha256()
    for tensor in setting.module.state_dict().values():
        digest.update(tensor.float().cpu().numpy().tobytes())
    return metrics, digest.hexdigest()
