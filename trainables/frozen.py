"""Frozen linear layers kept in bf16 where a trial computes in it: half the memory, with the same numbers.

Autocast rounds the weights of a linear layer to bf16 whenever it is used. The weights of a frozen layer can be kept in
bf16 instead: under autocast its outputs are bit-identical. Embeddings, norms and hidden states, which autocast leaves
alone, stay in fp32.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

if TYPE_CHECKING:
    from trainables.device import Dtype


class Bf16Linear(nn.Linear):
    """A frozen linear layer in bf16; outside autocast it computes in its input's dtype, with the rounded weights."""

    def __init__(self, layer: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.register_parameter("bias", None)
        for name, parameter in layer.named_parameters():
            self.register_parameter(name, nn.Parameter(parameter.detach().to(torch.bfloat16), requires_grad=False))

    def forward(self, input: Tensor) -> Tensor:  # the parameter's name in torch
        if torch.is_autocast_enabled(input.device.type):
            return super().forward(input)
        return functional.linear(input, **{name: each.to(input.dtype) for name, each in self.named_parameters()})


def hold(model: PreTrainedModel, dtype: Dtype) -> PreTrainedModel:
    """Converts frozen linear layers to bf16 in place where `dtype` is bf16, and returns the model.

    Layers with shared weights (an LM head tied to the embeddings) and those that transformers keeps in fp32 (T5's `wo`)
    stay in fp32.
    """
    if dtype == "fp32":
        return model
    uses = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))
    wide = set(model._keep_in_fp32_modules or ())  # pyright: ignore[reportPrivateUsage]
    for path, layer in list(model.named_modules()):
        if not isinstance(layer, nn.Linear) or wide & set(path.split(".")):
            continue
        if all(not parameter.requires_grad and uses[id(parameter)] == 1 for parameter in layer.parameters()):
            model.set_submodule(path, Bf16Linear(layer))
    return model
