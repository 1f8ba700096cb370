"""Frozen linear layers held in bf16 where a trial computes in it: half the memory, and the numbers of autocast.

Autocast rounds the weights of a linear layer to bf16 whenever it is used. A layer that is never trained may as well be
held so: under autocast every bit of its output is the same. Embeddings and norms, which autocast leaves alone, stay in
fp32, and so does the stream of hidden states.
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


class Held(nn.Linear):
    """A frozen linear layer in bf16; outside autocast it computes in its input's dtype, with the rounded weights."""

    def __init__(self, layer: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.register_parameter("bias", None)
        for name, parameter in layer.named_parameters():
            self.register_parameter(name, nn.Parameter(parameter.detach().to(torch.bfloat16), requires_grad=False))

    def forward(self, input: Tensor) -> Tensor:  # torch's own name for it
        if torch.is_autocast_enabled(input.device.type):
            return super().forward(input)
        return functional.linear(input, **{name: each.to(input.dtype) for name, each in self.named_parameters()})


def hold(model: PreTrainedModel, dtype: Dtype) -> PreTrainedModel:
    """The model itself; for bf16 with its frozen linear layers in bf16.

    A layer whose weights are another's too (an LM head that is the embedding table) stays in fp32, and so do those
    that transformers wants in fp32 (T5's `wo`).
    """
    if dtype == "fp32":
        return model
    uses = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))
    wide = set(model._keep_in_fp32_modules or ())  # pyright: ignore[reportPrivateUsage]
    for path, layer in list(model.named_modules()):
        if not isinstance(layer, nn.Linear) or wide & set(path.split(".")):
            continue
        if all(not parameter.requires_grad and uses[id(parameter)] == 1 for parameter in layer.parameters()):
            model.set_submodule(path, Held(layer))
    return model
