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
    assert device.start_clean(1, seed=0) == torch.device("cuda")
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    # A tensor that nothing was written to is not filled: that would be a kernel for each.
    deterministic: Any = torch.utils.deterministic
    assert not deterministic.fill_uninitialized_memory
