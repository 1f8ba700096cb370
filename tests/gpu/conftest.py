"""Tests of a real GPU: skipped where CUDA is not there; `--dry` runs them on the CPU, with tiny shapes.

    make test-gpu
    python -m pytest tests/gpu --dry

Dry, nothing is compared with the counters of a GPU, which a CPU has not; everything else is.
"""

from __future__ import annotations

import os

import pytest
import torch

# Read by cuBLAS at its first call, which some test may make before a cell does.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dry", action="store_true", help="run on the CPU, with tiny shapes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if torch.cuda.is_available() or config.getoption("--dry"):
        return
    for item in items:
        if "gpu" in item.path.parent.name:
            item.add_marker(pytest.mark.skip(reason="CUDA is not available"))


@pytest.fixture(scope="session")
def dry(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--dry"))
