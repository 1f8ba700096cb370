"""Adapters in the models of every family: what is trained, what stays, and what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.trainables.families.settings import SETTINGS, Setting
from trainables.config import LoraConfig, ModelConfig
from trainables.errors import InputError
from trainables.families import FAMILIES, adapters, lora, making
from trainables.families.states import forward, stacks_of
from trainables.families.tiny import Tiny, tokenizer
from trainables.plugins import Plugin, activate

LORA = LoraConfig(r=3, alpha=6)
QWEN3 = next(s for s in SETTINGS if s.family.name == "qwen3" and s.head_name == "language_model")
BERT = next(s for s in SETTINGS if s.family.name == "bert")
PATH = "model.lora.student"


def adapted(setting: Tiny, config: LoraConfig = LORA, seed: int = 0) -> PreTrainedModel:
    model = setting.teacher()
    adapters.add(setting.family, model, config, PATH, seed)
    return model


def outputs(setting: Tiny, model: PreTrainedModel) -> Tensor:
    with torch.no_grad():
        return forward(setting.family, model.eval(), setting.batch()).all_logits


def loss_of(setting: Tiny, model: PreTrainedModel) -> Tensor:
    """Cross entropy and, so that every block counts by itself, the size of every state."""
    seen = forward(setting.family, model, setting.batch())
    ce = nn.functional.cross_entropy(seen.logits.flatten(0, -2), seen.labels.flatten())
    sizes = [state.square().mean() for states in seen.states.values() for state in states if state.requires_grad]
    return ce + torch.stack(sizes).mean()


def trained(setting: Tiny, model: PreTrainedModel) -> PreTrainedModel:
    """The model after steps that are large enough to tell it from what it was."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02, weight_decay=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(setting, model).backward()
        optimizer.step()
    return model.eval()


def heads(setting: Tiny, model: nn.Module) -> set[str]:
    names = setting.family.models[setting.head_name].fresh
    return {name for name, _ in model.named_parameters() if names and name.startswith(names)}


# What is trained.


def test_adapters_and_heads_alone_are_trained(setting: Setting) -> None:
    model = adapted(setting)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    trained(setting, model)
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    with_gradient = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    expected = {name for name in before if ".lora_" in name} | heads(setting, model)
    assert moved == with_gradient == expected
    assert bool(heads(setting, model)) == setting.head.has_labels


def test_every_linear_layer_of_the_blocks_is_adapted(setting: Setting) -> None:
    model = adapted(setting)
    blocks = [block for stack in stacks_of(setting.family, model).values() for block in stack]
    layers = [module for block in blocks for module in block.modules() if isinstance(module, nn.Linear)]
    bases = [module for name, module in model.named_modules() if name.endswith(".base_layer")]
    assert len({id(layer) for layer in layers}) == 3 * len(bases)  # each with its A and its B
    assert len(bases) == len(adapters.linears(setting.family, setting.teacher()))
    weights = [weight for name, weight in model.named_parameters() if ".lora_" in name]
    assert {min(weight.shape) for weight in weights} == {LORA.r}


def test_fresh_adapters_change_nothing(setting: Setting, teacher: PreTrainedModel) -> None:
    """Raw states are read where they were."""
    model, batch = adapted(setting).eval(), setting.batch()
    with torch.no_grad():
        mine, theirs = (forward(setting.family, each, batch) for each in (model, teacher))
    assert torch.equal(mine.all_logits, theirs.all_logits)
    for stack, states in theirs.states.items():
        assert all(map(torch.equal, mine.states[stack], states))


def test_draws_come_from_a_stream_of_their_own() -> None:
    torch.manual_seed(5)
    untouched = torch.rand(1)
    torch.manual_seed(5)
    one, other = (adapted(QWEN3, seed=seed).state_dict() for seed in (0, 1))
    assert torch.equal(torch.rand(1), untouched)
    again = adapted(QWEN3).state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert {name for name in one if not torch.equal(one[name], other[name])} == {n for n in one if ".lora_A." in n}


def test_dropout_is_of_training_alone() -> None:
    model = trained(QWEN3, adapted(QWEN3, LoraConfig(r=3, dropout=0.5)).train())
    assert torch.equal(outputs(QWEN3, model), outputs(QWEN3, model))
    with torch.no_grad():
        assert not torch.equal(*(forward(QWEN3.family, model.train(), QWEN3.batch()).logits for _ in range(2)))


# Targets.


@pytest.mark.parametrize(
    ("targets", "num_layers"),
    [
        (["q_proj"], 6),
        (["self_attn.q_proj", "v_proj"], 12),
        (["mlp.up_proj", "up_proj"], 6),
        (["layers.2.mlp.up_proj"], 1),
    ],
)
def test_targets_are_ends_of_names(targets: list[str], num_layers: int) -> None:
    model = adapted(QWEN3, LoraConfig(r=2, targets=targets))
    found = {name.removesuffix(".base_layer") for name, _ in model.named_modules() if name.endswith(".base_layer")}
    assert len(found) == num_layers
    assert all(name.endswith(tuple(targets)) for name in found)


def test_a_target_outside_of_the_blocks_is_none() -> None:
    """`dense` is the pooler's name too, which is a head and trained whole."""
    model = adapted(BERT, LoraConfig(r=2, targets=["dense"]))
    found = [name for name, _ in model.named_modules() if name.endswith(".base_layer")]
    assert len(found) == 3 * 6
    assert all(name.startswith("bert.encoder.layer.") for name in found)


def test_targets_that_match_nothing_are_named_at_once() -> None:
    with pytest.raises(InputError) as error:
        adapted(BERT, LoraConfig(r=2, targets=["query", "q_proj", "uery", "pooler.dense"]))
    assert str(error.value.problems[0]) == (
        "model.lora.student.targets: got q_proj, uery, pooler.dense; "
        "the blocks' linear layers are query, key, value, dense"
    )
    assert len(error.value.problems) == 1


def test_what_is_declared_is_what_is_there(setting: Setting) -> None:
    """But for T5's other feed-forward layer: what a plan says without torch, the model says too."""
    found = adapters.linears(setting.family, setting.teacher())
    unused = [name for name in setting.family.linears if not lora.targeted(found, [name])]
    assert [name.rpartition(".")[2] for name in unused] == (["wi_0", "wi_1"] * 2 if setting.family.name == "t5" else [])


@pytest.mark.parametrize(("field", "given"), [("feed_forward_proj", "gated-gelu"), ("feed_forward_proj", "relu")])
def test_both_feed_forward_layers_of_t5_are_declared(field: str, given: str) -> None:
    t5 = next(s for s in SETTINGS if s.family.name == "t5")
    found = adapters.linears(t5.family, t5.teacher(**{field: given}))
    assert len(found) == 6 * 2 * (4 + 2) + 6 * 4 + (12 if given == "gated-gelu" else 0)
    assert lora.targeted(found, t5.family.linears) == found


# What a plan knows.


def check(init: str = "teacher", family: str = "bert", **lora_fields: Any) -> list[str]:
    fields = {"name": "m", "family": family, "teacher": "t", "finetune": {}, "lora": lora_fields}
    return [str(problem) for problem in lora.check(FAMILIES[family], ModelConfig.model_validate(fields), init)]


def test_wrong_targets_of_teacher_and_student_are_known_from_the_declaration() -> None:
    assert check(teacher={"r": 1, "targets": ["q"]}, student={"r": 1, "targets": ["key", "dence"]}) == [
        "model.lora.teacher.targets: got q; the blocks' linear layers are query, key, value, dense",
        "model.lora.student.targets: got dence; the blocks' linear layers are query, key, value, dense",
    ]
    assert check(family="qwen3", student={"r": 1, "targets": ["mlp.up_proj", "q_proj"]}) == []


def test_a_student_of_drawn_weights_takes_no_adapters() -> None:
    assert check("random", student={"r": 1}) == [
        "model.lora.student: got adapters with init: random; weights that are drawn and then frozen learn nothing: "
        "give init: teacher, or model.lora.student: null"
    ]
    assert check("random", teacher={"r": 1}) == check("teacher", student={"r": 1}) == []


# What is saved.


@pytest.mark.parametrize("form", ["merged", "adapter"])
def test_a_saved_model_is_itself_in_plain_transformers(
    setting: Setting, form: Literal["merged", "adapter"], tmp_path: Path
) -> None:
    model = trained(setting, adapted(setting))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    adapters.save(model, tmp_path, form)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    mine = outputs(setting, model)
    assert not torch.allclose(mine, outputs(setting, setting.teacher()), atol=1e-2)
    tokenizer(setting.family).save_pretrained(tmp_path)
    loaded = making.load(setting.family, str(tmp_path), None, setting.head, seed=0)
    for each in (setting.plain(tmp_path), loaded):
        torch.testing.assert_close(outputs(setting, each), mine, rtol=0, atol=1e-5)
    assert loaded.state_dict().keys() == setting.teacher().state_dict().keys()
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    assert (tmp_path / "adapter_model.safetensors").exists() == (form == "adapter")


def test_merged_is_the_weight_and_its_low_rank_part(tmp_path: Path) -> None:
    model = trained(QWEN3, adapted(QWEN3))
    adapters.save(model, tmp_path)
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    merged = {name: tensor.numpy() for name, tensor in QWEN3.plain(tmp_path).state_dict().items()}
    num_adapted = 0
    for name, weight in merged.items():
        layer = name.removesuffix(".weight")
        a, b = (tensors.get(f"{layer}.lora_{part}.default.weight") for part in "AB")
        if a is None or b is None:
            assert np.array_equal(weight, tensors[name])
            continue
        num_adapted += 1
        base = tensors[f"{layer}.base_layer.weight"]
        expected = np.array([[w + 2 * sum(b[i] * a[:, j]) for j, w in enumerate(row)] for i, row in enumerate(base)])
        np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-6)
    assert num_adapted == 6 * 7


def test_an_adapter_lies_beside_its_base(tmp_path: Path) -> None:
    """The base as it was before training, without a trace of the adapters; peft's own file beside it."""
    from peft import PeftConfig
    from safetensors.torch import load_file

    model = trained(BERT, adapted(BERT))
    adapters.save(model, tmp_path, "adapter")
    base, start = load_file(tmp_path / "model.safetensors"), BERT.teacher().state_dict()
    changed = {name for name, tensor in base.items() if not torch.equal(tensor, start[name])}
    assert changed == heads(BERT, BERT.teacher())
    low_rank = load_file(tmp_path / "adapter_model.safetensors")
    assert all(name.startswith("base_model.model.bert.encoder.layer.") for name in low_rank)
    assert len(low_rank) == 2 * 6 * 6
    config = PeftConfig.from_pretrained(str(tmp_path))
    assert (config.r, config.lora_alpha, config.inference_mode) == (3, 6, True)


def test_layers_of_gpt2_are_adapted_too(tmp_path: Path) -> None:
    """A family of one's own, whose linear layers hold their weights the other way round."""
    text = (Path(__file__).parents[3] / "docs" / "plugins" / "family.py").read_text()
    activate([Plugin("family.py", text)])
    gpt2 = Tiny(FAMILIES["gpt2"], "language_model", {"n_embd": 16, "n_layer": 4, "n_head": 2, "n_positions": 16})
    activate(())
    model = trained(gpt2, adapted(gpt2))
    for form in ("merged", "adapter"):
        adapters.save(model, tmp_path / form, form)
        torch.testing.assert_close(outputs(gpt2, gpt2.plain(tmp_path / form)), outputs(gpt2, model), rtol=0, atol=1e-5)
