"""The answers of a model to the examples of a batch, from the outputs of one forward pass.

B batch, T tokens, V vocabulary, C outputs, N labelled positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.families.base import Outputs
from trainables.losses import IGNORED
from trainables.tasks.kinds.base import Answer


def read(answer: Answer, seen: Outputs) -> list[Any]:
    """The answer to each example of the batch, in the form that `Answer` describes; `text` needs generation instead."""
    assert answer != "text"
    return outputs(seen) if answer == "outputs" else log_likelihoods(seen)


def outputs(seen: Outputs) -> list[NDArray[np.floating]]:
    """The outputs of a head with labels for each example: [C], or [N, C] at its labelled tokens; in fp32 or wider."""
    logits = _wide(seen.logits).cpu()
    if seen.labels.dim() == 1:
        return [logits_C.numpy() for logits_C in logits]
    return [logits_TC[own_T != IGNORED].numpy() for logits_TC, own_T in zip(logits, seen.labels.cpu(), strict=True)]


def log_likelihoods(seen: Outputs) -> list[float]:
    """The sum of log p over the labels of each example, in nats, computed in fp32 or wider."""
    sums: list[Tensor] = []
    for logits_TV, labels_T in zip(seen.logits, seen.labels, strict=True):
        real_T = labels_T != IGNORED
        log_p_NV = _wide(logits_TV[real_T]).log_softmax(-1)
        sums.append(log_p_NV.gather(-1, labels_T[real_T].unsqueeze(-1)).sum())
    return torch.stack(sums).tolist()


def _wide(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
