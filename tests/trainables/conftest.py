"""Every test with a `setting` runs over all of them; teachers are built once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.trainables.families.settings import SETTINGS, Setting


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


@pytest.fixture(params=SETTINGS, ids=str, scope="session")
def setting(request: pytest.FixtureRequest) -> Setting:
    return request.param


@pytest.fixture(scope="session")
def teacher(setting: Setting) -> PreTrainedModel:
    """Shared by all tests: not to be changed."""
    return setting.teacher()


@pytest.fixture
def batch(setting: Setting) -> dict[str, Tensor]:
    return setting.batch()
