"""The first step of each optimiser, worked out by hand: both move every weight by the rate times its sign."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainables.families.settings import SETTINGS, Setting
from trainables import optimizers, student
from trainables.config import ModelConfig, TrainConfig

WEIGHTS = [3.0, -4.0, 0.5, 2.0]
GRADIENTS = [0.3, -0.01, 2.0, -7.0]


def stepped(**fields: object) -> np.ndarray:
    """By how much each weight moves in one step."""
    weights = nn.Parameter(torch.tensor(WEIGHTS, dtype=torch.float64))
    config = TrainConfig.model_validate({"learning_rate": 0.1, "weight_decay": 0.0, **fields})
    weights.grad = torch.tensor(GRADIENTS, dtype=torch.float64)
    optimizers.make([{"params": [weights]}], config).step()
    return weights.detach().numpy() - np.array(WEIGHTS)


def test_adamw_moves_by_the_rate() -> None:
    assert stepped() == pytest.approx(-0.1 * np.sign(GRADIENTS), rel=1e-5)


def test_adafactor_moves_by_the_rate() -> None:
    assert stepped(optimizer="adafactor") == pytest.approx(-0.1 * np.sign(GRADIENTS), rel=1e-6)


def test_scaled_adafactor_moves_by_the_rate_times_the_rms_of_the_parameter() -> None:
    rms = np.sqrt(np.mean(np.square(WEIGHTS)))
    moved = stepped(optimizer="adafactor", scale_parameter=True)
    assert moved == pytest.approx(-0.1 * rms * np.sign(GRADIENTS), rel=1e-6)


def test_weight_decay_shrinks_a_weight_by_its_share_of_the_rate() -> None:
    for name in ("adamw", "adafactor"):
        shrunk = stepped(optimizer=name, weight_decay=0.5) - stepped(optimizer=name)
        assert shrunk == pytest.approx(-0.1 * 0.5 * np.array(WEIGHTS), rel=1e-6)


def undecayed(module: nn.Module) -> set[str]:
    """The names of biases, of T5's tables of them, and of all parameters of norms, by the modules that hold them."""
    return {
        f"{path}.{name}"
        for path, each in module.named_modules()
        for name, _ in each.named_parameters(recurse=False)
        if name == "bias" or "Norm" in type(each).__name__ or path.endswith("relative_attention_bias")
    }


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
@pytest.mark.parametrize(
    "changes",
    [{"student_width": 8, "projection": {"bias": True, "learning_rate": 0.01}}, {"lora": {"student": {"r": 2}}}],
    ids=["projections", "adapters"],
)
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_biases_and_norms_are_never_decayed(setting: Setting, changes: dict[str, Any], optimizer: str) -> None:
    """Where there is no gradient, a step shrinks the other weights by their share of their rate, and moves no more."""
    fields = {"name": "tiny", "family": setting.family.name, "teacher": "tiny", **changes}
    model = ModelConfig.model_validate(fields)
    init = "random" if model.student_width else "teacher"
    module = student.build(setting.family, setting.teacher(), model, init, seed=0)
    rates = {"projections.": 0.01}
    trained = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    before = {name: parameter.detach().clone() for name, parameter in trained.items()}
    config = TrainConfig.model_validate({"learning_rate": 0.1, "weight_decay": 0.5, "optimizer": optimizer})
    for parameter in trained.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizers.make(optimizers.groups(module.named_parameters(), rates), config).step()
    kept = undecayed(module)
    for name, parameter in trained.items():
        rate = 0.01 if name.startswith("projections.") else 0.1
        wanted = before[name] if name in kept else before[name] * (1 - 0.5 * rate)
        torch.testing.assert_close(parameter.detach(), wanted, rtol=1e-6, atol=0)


def test_a_prefix_learns_at_its_own_rate() -> None:
    """Two weights of one gradient under AdamW: each moves by its own rate."""
    module = nn.ModuleDict({"model": nn.Linear(2, 1, bias=False), "projections": nn.Linear(2, 1, bias=False)})
    frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
    named = [*module.named_parameters(), ("model.frozen", frozen)]
    groups = optimizers.groups(named, {"projections.": 0.01})
    config = TrainConfig.model_validate({"learning_rate": 0.1, "weight_decay": 0.0})
    optimizer = optimizers.make(groups, config)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]
    before = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moved = {name: (before[name] - parameter).abs().mean().item() for name, parameter in module.named_parameters()}
    assert moved == pytest.approx({"model.weight": 0.1, "projections.weight": 0.01}, rel=1e-4)
    assert not any(parameter is frozen for group in optimizer.param_groups for parameter in group["params"])


def test_without_own_rates_there_is_one_group() -> None:
    weights = [*nn.Linear(2, 1, bias=False).named_parameters()]
    (group,) = optimizers.groups(weights, {})
    assert group.keys() == {"params"}
    assert len(optimizers.groups(weights, {"projections.": 0.1})) == 1
