"""A micro-batch in parts: the step of the whole one, for every objective whose terms are sums."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.trainables.golden import config, save_teacher
from trainables import distill, finetune
from trainables.config import LossConfig, TrainConfig, TrialConfig
from trainables.learner import Learner
from trainables.member import Member, Outcome
from trainables.metrics import Metrics
from trainables.parts import most_parts, part_size, split
from trainables.tasks.rows import Data


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_parts_have_each_example_once_and_at_most_their_size(num: int, whole: int, num_parts: int) -> None:
    micro = list(range(min(num, whole)))
    parts = split(micro, whole, num_parts)
    assert [index for part in parts for index in part] == micro
    assert max(map(len, parts)) <= part_size(whole, num_parts)
    assert len(parts) <= num_parts


def test_halves_go_down_to_one_example() -> None:
    assert [part_size(8, num_parts) for num_parts in (1, 2, 4, 8)] == [8, 4, 2, 1]
    assert [part_size(6, num_parts) for num_parts in (1, 2, 4, 6)] == [6, 3, 2, 1]
    assert split([3, 1, 4, 1, 5], 6, 2) == [[3, 1, 4], [1, 5]]


TRAIN = TrainConfig(batch_size=8)


@pytest.mark.parametrize(
    ("losses", "most"),
    [
        ({}, 8),
        ({"distance": "cosine"}, 8),
        ({"distance": "cka"}, 1),
        ({"semantics": "official"}, 1),
    ],
)
def test_only_sums_are_computed_in_parts(losses: dict[str, Any], most: int) -> None:
    assert most_parts(TRAIN, LossConfig.model_validate(losses)) == most


def test_a_teacher_is_computed_in_parts() -> None:
    assert (most_parts(TRAIN), most_parts(None)) == (8, 32)


WITHOUT_DROPOUT = {
    "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "bart": {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0},
    "t5": {"dropout_rate": 0.0},
    "qwen3": {"attention_dropout": 0.0},
}


class Gradients:
    """The gradient of each model's first step, before it is clipped. The models compute in fp64.

    In fp32 the order of the sums alone moves a small gradient by more than 1e-6.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.last = np.zeros(0)
        update = Learner.update

        def kept(learner: Learner, step: int) -> None:
            if step == 1:
                gradients = [each.grad for each in learner.parameters if each.grad is not None]
                self.last = torch.cat([each.flatten() for each in gradients]).numpy().copy()
            update(learner, step)

        def place(module: nn.Module, device: torch.device) -> nn.Module:
            return nn.Module.to(module, device, torch.float64)

        monkeypatch.setattr(Learner, "update", kept)
        monkeypatch.setattr("trainables.device.place", place)


def distance(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    return float(np.linalg.norm(first - second) / np.linalg.norm(first))


def whole(family: str, **losses: Any) -> TrialConfig:
    """A cell without dropout, whose step has two micro-batches of texts of unlike lengths."""
    fields = config(family, "forward").model_dump()
    fields["model"]["teacher"]["config"] |= WITHOUT_DROPOUT[family]
    train = {"max_steps": 1, "batch_size": 7, "accumulation": 2, "learning_rate": 1e-3}
    return TrialConfig.model_validate({**fields, "train": train, "losses": losses})


def first_step(cell: TrialConfig, data: Data, teacher: Path, folder: Path, num_parts: int) -> Metrics:
    steps: list[Metrics] = []
    folder.mkdir()
    member = Member(cell, folder, lambda step, metrics: steps.append(metrics))
    (result,) = distill.run([member], data, teacher, num_parts=num_parts)
    assert isinstance(result, Outcome), result
    return next(metrics for metrics in steps if "train/loss" in metrics)


@pytest.mark.parametrize("family", WITHOUT_DROPOUT)
def test_the_parts_of_a_step_have_the_gradient_of_the_whole(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients = Gradients(monkeypatch)
    cell = whole(family, hidden_norm="l2", distance="cosine" if family == "bart" else "mse")
    data = save_teacher(cell, tmp_path / "teacher")
    told = first_step(cell, data, tmp_path / "teacher", tmp_path / "1", 1)
    gradient = gradients.last
    other = first_step(cell, data, tmp_path / "teacher", tmp_path / "3", 3)
    assert gradients.last.shape == gradient.shape
    assert distance(gradient, gradients.last) < 1e-6
    for name in ("train/loss", "train/loss_ce", "train/loss_kl", "train/loss_hidden"):
        assert other[name] == pytest.approx(told[name], rel=1e-6)


def test_parts_of_a_distance_between_whole_batches_have_another_gradient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is why `most_parts` refuses them, and the test above would see a wrong sum."""
    gradients = Gradients(monkeypatch)
    cell = whole("bert", distance="cka")
    data = save_teacher(cell, tmp_path / "teacher")
    first_step(cell, data, tmp_path / "teacher", tmp_path / "1", 1)
    gradient = gradients.last
    first_step(cell, data, tmp_path / "teacher", tmp_path / "2", 2)
    assert distance(gradient, gradients.last) > 1e-3


def test_a_teacher_in_parts_has_the_gradient_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gradients = Gradients(monkeypatch)
    cell = whole("bert")
    assert cell.model.finetune is not None
    train = cell.model.finetune.model_copy(update={"max_steps": 1, "batch_size": 7})
    model = cell.model.model_copy(update={"finetune": train})
    data = save_teacher(cell, tmp_path / "teacher")
    told: list[np.ndarray[Any, Any]] = []
    for num_parts in (1, 2, 7):
        folder = tmp_path / f"{num_parts}"
        folder.mkdir()
        finetune.run(model, cell.task, data, folder, lambda step, metrics: None, "fp32", num_parts=num_parts)
        told.append(gradients.last)
    assert max(distance(told[0], each) for each in told[1:]) < 1e-6
