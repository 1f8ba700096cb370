"""Blocks computed again for the backward pass: the same losses, states and gradients, bit for bit, dropout included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.trainables.families.settings import Setting
from trainables.config import LoraConfig
from trainables.errors import InputError
from trainables.families import adapters
from trainables.families.base import Outputs
from trainables.families.states import forward, generate, recorded, stacks_of
from trainables.student import checkpoint_blocks

DROPOUT: dict[str, dict[str, Any]] = {
    **{name: {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3} for name in ("bert", "roberta")},
    "distilbert": {"dropout": 0.3, "attention_dropout": 0.3},
    "bart": {"dropout": 0.3, "attention_dropout": 0.3, "activation_dropout": 0.3},
    "t5": {"dropout_rate": 0.3},
    **{name: {"attention_dropout": 0.3} for name in ("llama", "mistral", "qwen2", "qwen3")},
}


def model_of(setting: Setting, *, checkpointed: bool, lora: bool = False) -> PreTrainedModel:
    model = setting.teacher(**DROPOUT[setting.family.name]).requires_grad_(True)
    if lora:
        adapters.add(setting.family, model, LoraConfig(r=2, dropout=0.3), "model.lora.student", seed=0)
    if checkpointed:
        checkpoint_blocks(model, "train")
    return model.train()


def backward(setting: Setting, model: PreTrainedModel) -> tuple[Outputs, Tensor, dict[str, Tensor | None], Tensor]:
    """What a pass shows, its loss over logits and all states, every gradient, and the next random number."""
    torch.manual_seed(7)
    seen = forward(setting.family, model, setting.batch())
    ce = nn.functional.cross_entropy(seen.logits.flatten(0, -2), seen.labels.flatten())
    loss = ce + sum(state.square().mean() for states in seen.states.values() for state in states)
    loss.backward()
    return seen, loss, {name: parameter.grad for name, parameter in model.named_parameters()}, torch.rand(1)


@pytest.mark.parametrize("lora", [False, True], ids=["all weights", "adapters"])
def test_it_changes_no_number(setting: Setting, lora: bool) -> None:
    plain, again = (
        backward(setting, model_of(setting, checkpointed=checkpointed, lora=lora)) for checkpointed in (False, True)
    )
    assert torch.equal(plain[1], again[1])
    assert torch.equal(plain[3], again[3])
    for stack, states in plain[0].states.items():
        assert len(states) == len(again[0].states[stack]) == 7
        assert all(map(torch.equal, states, again[0].states[stack]))
        assert all(state.requires_grad for state in again[0].states[stack][1:])
    gradients = 0
    for name, gradient in plain[2].items():
        other = again[2][name]
        assert (gradient is None) == (other is None), name
        if gradient is not None and other is not None:
            assert torch.equal(gradient, other), name
            gradients += bool(gradient.any())
    assert gradients >= 6 * 6


def test_dropout_is_at_work(setting: Setting) -> None:
    """Else equal gradients would say nothing of the random state."""
    model = model_of(setting, checkpointed=True)
    with torch.no_grad():
        one, other = (forward(setting.family, model, setting.batch()).all_logits for _ in range(2))
    assert not torch.equal(one, other)


def test_blocks_are_computed_twice_and_seen_once(setting: Setting) -> None:
    model = model_of(setting, checkpointed=True)
    inner = [next(m for m in block.modules() if isinstance(m, nn.Linear)) for block in blocks_of(setting, model)]
    calls = {"inner": 0}

    def count(*_: Any) -> None:
        calls["inner"] += 1

    for module in inner:
        module.register_forward_hook(count)
    with recorded(stacks_of(setting.family, model)) as states:
        inputs: Any = setting.for_transformers(setting.batch())
        loss: Tensor = model(**inputs).loss
        assert calls["inner"] == len(inner)
        loss.backward()  # while the hooks that read states are still there
    assert calls["inner"] == 2 * len(inner)
    assert {len(found) for found in states.values()} == {7}


def blocks_of(setting: Setting, model: PreTrainedModel) -> list[nn.Module]:
    return [block for stack in stacks_of(setting.family, model).values() for block in stack]


def test_nothing_is_computed_twice_outside_of_training(setting: Setting) -> None:
    model = model_of(setting, checkpointed=True).eval()
    plain = model_of(setting, checkpointed=False).eval()
    one, other = (forward(setting.family, each, setting.batch()) for each in (model, plain))
    assert torch.equal(one.all_logits, other.all_logits)
    if setting.head_name == "language_model":
        prompt = {name: setting.batch()[name][:1] for name in ("input_ids", "attention_mask")}
        tokens = [generate(setting.family, each, prompt, max_new_tokens=4, num_beams=2) for each in (model, plain)]
        assert torch.equal(*tokens)


def test_a_model_without_it_is_refused(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    model = setting.teacher()
    monkeypatch.setattr(type(model), "supports_gradient_checkpointing", False)
    with pytest.raises(InputError) as error:
        checkpoint_blocks(model, "model.finetune")
    assert str(error.value.problems[0]) == (
        f"model.finetune.gradient_checkpointing: got true; transformers has none for {type(model).__name__}"
    )
