"""Frozen linear layers in bf16: which parts of a model they are, and that no number of autocast moves."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.trainables.alone import distil
from tests.trainables.families.settings import SETTINGS, Setting
from tests.trainables.golden import config, save_teacher
from trainables import device as devices
from trainables import finetune, frozen
from trainables.config import LoraConfig, TrialConfig
from trainables.families import FAMILIES, adapters, making
from trainables.families.states import forward
from trainables.heads import LANGUAGE_MODEL
from trainables.metrics import Metrics
from trainables.student import Student
from trainables.tasks import read

CPU = torch.device("cpu")
LORA = {"r": 4, "alpha": 8}


def dtypes(model: nn.Module) -> dict[str, torch.dtype]:
    return {name: parameter.dtype for name, parameter in model.named_parameters()}


def in_bf16(model: nn.Module) -> set[str]:
    return {name for name, dtype in dtypes(model).items() if dtype == torch.bfloat16}


def tensors(setting: Setting, model: PreTrainedModel) -> list[Tensor]:
    with torch.no_grad():
        outputs = forward(setting.family, model, setting.batch())
    return [outputs.all_logits, *(state for states in outputs.states.values() for state in states)]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_linear_layer_of_its_own_is_held(setting: Setting) -> None:
    model = frozen.hold(setting.teacher(), "bf16")
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    head = linear.get("lm_head")
    is_tied = head is not None and head.weight is model.get_input_embeddings().weight
    left = {name for name in linear if name.endswith(".wo")} | ({"lm_head"} if is_tied else set())
    assert in_bf16(model) == {
        f"{name}.{part}" for name, layer in linear.items() if name not in left for part, _ in layer.named_parameters()
    }
    assert bool(left) == (is_tied or setting.family.name == "t5")
    assert set(dtypes(model).values()) == {torch.bfloat16, torch.float32}
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_autocast_gives_the_same_bits(setting: Setting) -> None:
    model = setting.teacher()
    held = frozen.hold(copy.deepcopy(model), "bf16")
    with devices.autocast(CPU, "bf16"):
        for one, other in zip(tensors(setting, model), tensors(setting, held), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_without_autocast_it_is_the_rounded_model_in_fp32(setting: Setting) -> None:
    """So that states on the probe stay fp32 and as fine as they were."""
    held = frozen.hold(setting.teacher(), "bf16")
    rounded = setting.teacher()
    rounded.load_state_dict(held.state_dict())
    assert set(dtypes(rounded).values()) == {torch.float32}
    found = tensors(setting, held)
    assert {tensor.dtype for tensor in found} == {torch.float32}
    for one, other in zip(found, tensors(setting, rounded), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(found[0], tensors(setting, setting.teacher())[0])


def test_fp32_holds_nothing() -> None:
    model = SETTINGS[0].teacher()
    modules = dict(model.named_modules())
    assert frozen.hold(model, "fp32") is model
    assert dict(model.named_modules()) == modules
    assert set(dtypes(model).values()) == {torch.float32}


@pytest.mark.parametrize("name", ["bert", "qwen3"])
def test_what_is_trained_beside_adapters_stays_in_fp32(name: str) -> None:
    setting = next(each for each in SETTINGS if each.family.name == name)
    model = setting.teacher().requires_grad_(True)
    adapters.add(setting.family, model, LoraConfig(r=2), "model.lora.student", seed=0)
    expected = {
        f"{path}.{part}"
        for path in adapters.linears(setting.family, model)
        if path.endswith(".base_layer")
        for part, _ in model.get_submodule(path).named_parameters()
    }
    frozen.hold(model, "bf16")
    assert in_bf16(model) == expected
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert any(".lora_A." in name for name in trained)
    assert not trained & in_bf16(model)
    with devices.autocast(CPU, "bf16"):
        outputs = forward(setting.family, model.train(), setting.batch())
    outputs.all_logits.sum().backward()
    grads = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert grads.keys() == trained
    assert {grad.dtype for grad in grads.values()} == {torch.float32}


# Whole cells.


class Journal(dict[int, Metrics]):
    """What was reported, by step."""

    def __call__(self, step: int, metrics: Metrics) -> None:
        self[step] = {**self.get(step, {}), **metrics}

    def losses(self) -> list[float]:
        names = ("train/loss", "train/loss_kl", "train/loss_hidden", "eval/loss")
        return [metrics[name] for metrics in self.values() for name in names if name in metrics]


def trial(family: str, dtype: str, lora: dict[str, Any] | None = None) -> TrialConfig:
    # With another seed BERT's divergence is smaller, and the rounding of the logits more of it.
    given = config(family, "forward", dtype=dtype, init="teacher", seed=4 if family == "bert" else 0).model_dump()
    given["model"] |= {"lora": lora, "finetune": {"max_steps": 4, "batch_size": 4, "learning_rate": 1e-2}}
    return TrialConfig.model_validate(given)


def cell(given: TrialConfig, folder: Path) -> Journal:
    data, journal = save_teacher(given, folder / "teacher"), Journal()
    (folder / "cell").mkdir()
    distil(given, data, folder / "teacher", folder / "cell", journal)
    return journal


@pytest.mark.parametrize("lora", [None, {"student": LORA}], ids=["all weights", "adapters"])
@pytest.mark.parametrize("family", ["bert", "bart", "t5", "qwen3"])
def test_a_cell_in_bf16_has_the_losses_of_autocast(
    family: str, lora: dict[str, Any] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit those that it has with all weights in fp32 beside autocast, and near those of fp32."""
    losses: dict[str, list[float]] = {}
    held: list[int] = []
    hold = frozen.hold
    for name, dtype in (("held", "bf16"), ("autocast", "bf16"), ("fp32", "fp32")):
        if name == "autocast":
            monkeypatch.setattr(frozen, "hold", lambda model, _: model)
        else:
            monkeypatch.setattr(
                frozen, "hold", lambda model, given: held.append(len(in_bf16(hold(model, given)))) or model
            )
        losses[name] = cell(trial(family, dtype, lora), tmp_path / name).losses()
    # The student's, the teacher's and the best student's, in bf16 and in fp32.
    assert [count > 0 for count in held] == [lora is not None, True, True, False, False, False]
    assert losses["held"] == losses["autocast"]
    assert losses["held"] != losses["fp32"]
    assert losses["held"] == pytest.approx(losses["fp32"], rel=0.02)


@pytest.mark.parametrize("save", ["merged", "adapter"])
def test_a_saved_student_is_the_trained_one_in_fp32(save: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Tensor] = []
    given = trial("qwen3", "bf16", {"student": {**LORA, "save": save}})
    batch = {"input_ids": torch.arange(6, 14)[None], "attention_mask": torch.ones(1, 8, dtype=torch.long)}

    def kept(student: Student, folder: Path) -> None:
        with torch.no_grad():
            trained.append(student.model(**batch).logits)
        adapters.save(student.model, folder, student.form)

    monkeypatch.setattr(Student, "save", kept)
    cell(given, tmp_path)
    folder = tmp_path / "cell" / "student"
    for file in folder.glob("*.safetensors"):
        assert {tensor.dtype for tensor in load_file(file).values()} == {torch.float32}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float32"
    model = making.load(FAMILIES["qwen3"], str(folder), None, LANGUAGE_MODEL, seed=0).eval()
    with torch.no_grad():
        logits: Tensor = model(**batch).logits
    torch.testing.assert_close(logits, trained[-1], rtol=1e-5, atol=1e-5)


def test_a_teacher_through_adapters_trains_on_a_base_in_bf16(tmp_path: Path) -> None:
    journals: list[Journal] = []
    for dtype in ("bf16", "fp32"):
        given, journal = trial("qwen3", dtype, {"teacher": LORA}), Journal()
        made = finetune.Teacher(
            given.model,
            given.task,
            read(given.task),
            tmp_path / dtype,
            journal,
            devices.resolve_dtype(dtype, 0),
            1,
            None,
        )
        assert bool(in_bf16(made.model)) == (dtype == "bf16")
        made.run()
        weights = load_file(tmp_path / dtype / "model" / "model.safetensors")
        assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
        journals.append(journal)
    one, other = (journal.losses() for journal in journals)
    assert one == pytest.approx(other, rel=0.02)
    assert one != other
