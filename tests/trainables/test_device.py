"""A worker's torch state where there is a GPU, as far as it shows without one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from trainables import device


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    num_threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(num_threads)


def test_on_a_gpu_kernels_are_deterministic_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning alone would leave attention's backward pass non-deterministic."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    assert device.start_clean(1, seed=0) == torch.device("cuda", 0)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    # A tensor that nothing was written to is not filled: that would be a kernel for each.
    deterministic: Any = torch.utils.deterministic
    assert not deterministic.fill_uninitialized_memory


@pytest.mark.parametrize(
    ("num_gpus", "students"), [(1, (0,)), (2, (1,)), (4, (1, 2, 3))], ids=["one GPU", "two GPUs", "four GPUs"]
)
def test_the_teacher_has_the_first_of_several_gpus(
    monkeypatch: pytest.MonkeyPatch, num_gpus: int, students: tuple[int, ...]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpus)
    placement = device.placement(torch.device("cuda", 0))
    assert placement == (torch.device("cuda", 0), tuple(torch.device("cuda", index) for index in students))
    of_first, of_last = placement.student(0), placement.student(len(students))
    assert of_first == of_last == torch.device("cuda", students[0])
    assert device.placement(torch.device("cpu")).students == (torch.device("cpu"),)
