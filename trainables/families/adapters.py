"""LoRA (Hu et al., 2022) through peft: adding adapters to a model, saving them merged or apart, and merging them.

Adapters are added in place, so that all modules keep their paths and states are recorded as in a model without them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig as PeftConfig
from peft import get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from trainables.config import LoraConfig
from trainables.errors import raise_all
from trainables.families.base import Family
from trainables.families.draws import seeded
from trainables.families.lora import targeted, unmatched
from trainables.seeds import stream

_NAME = "default"


def add(family: Family, model: PreTrainedModel, config: LoraConfig, path: str, seed: int) -> None:
    """Freezes a model except its heads, and adds adapters to linear layers of its blocks.

    They are drawn from the stream `lora` of `seed`; B starts at zero, so that outputs do not change. Raises InputError
    for targets that match no layer; `path` is that of `config` in the trial config.
    """
    names = linears(family, model)
    raise_all(unmatched(names, config.targets, f"{path}.targets"))
    adapter = PeftConfig(
        r=config.r,
        lora_alpha=config.alpha,  # pyright: ignore[reportArgumentType]  (peft divides it by r: a float will do)
        lora_dropout=config.dropout,
        target_modules=targeted(names, config.targets),
    )
    with seeded(stream(seed, "lora")):
        inject_adapter_in_model(adapter, model, _NAME)  # it freezes everything else
    heads = family.models[family.head_of(model)].fresh
    for name, parameter in model.named_parameters():
        if name.startswith(heads):
            parameter.requires_grad_(True)


def linears(family: Family, model: PreTrainedModel) -> list[str]:
    """The paths of the linear layers in the blocks of a model without adapters."""
    inside = tuple(f"{blocks.path}." for blocks in family.stacks.values())
    modules = model.named_modules()
    return [path for path, module in modules if isinstance(module, nn.Linear | Conv1D) and path.startswith(inside)]


def save(model: PreTrainedModel, folder: Path, form: Literal["merged", "adapter"] = "merged") -> None:
    """Writes a model, with or without adapters, for plain transformers.

    `adapter` writes the model without its adapters, but with its trained heads, and in the same folder the adapters in
    peft's format; where peft is installed, transformers' `from_pretrained` loads both. All weights are written in
    fp32; frozen weights that were kept in bf16 do not change their values.
    """
    if not _layers(model):
        model.save_pretrained(folder)
        return
    model.save_pretrained(folder, state_dict=_plain_state(model, merged=form == "merged"))
    if form == "adapter":
        anyone: Any = model
        tensors = get_peft_model_state_dict(anyone, save_embedding_layers=False)
        prefixed = {f"base_model.model.{key}": value.contiguous() for key, value in tensors.items()}
        save_file(prefixed, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        replace(anyone.peft_config[_NAME], inference_mode=True).save_pretrained(str(folder))


def merge(model: PreTrainedModel) -> None:
    """Merges the adapters into the weights and unfreezes them: the model is a plain one again."""
    layers = _layers(model)
    if not layers:
        return
    for name, layer in layers.items():
        layer.merge()
        model.set_submodule(name, layer.get_base_layer())
    anyone: Any = model.requires_grad_(True)
    anyone._hf_peft_config_loaded = False
    del anyone.peft_config
    # With adapters that came from files, these would save the weights under the names of peft's tensors.
    vars(model).pop("_weight_conversions", None)


def _layers(model: PreTrainedModel) -> dict[str, LoraLayer]:
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


def _plain_state(model: PreTrainedModel, *, merged: bool) -> dict[str, Tensor]:
    """The weights in fp32 under their names without adapters; merged ones are new tensors on the CPU."""
    state = {
        key.replace(".base_layer.", "."): value.float() if value.dtype == torch.bfloat16 else value
        for key, value in model.state_dict().items()
        if ".lora_" not in key
    }
    if merged:
        with torch.no_grad():
            for name, layer in _layers(model).items():
                base: Any = layer.get_base_layer()
                delta: Any = layer
                state[f"{name}.weight"] = (base.weight + delta.get_delta_weight(_NAME)).cpu()
    return state
