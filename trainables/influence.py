"""How much each block of a teacher changes its input: block influence (ShortGPT, Men et al., 2024, equation 1).

T tokens, E width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from transformers import PreTrainedModel

from trainables import device as devices
from trainables.families import Family
from trainables.families.states import forward
from trainables.tasks.batches import collate
from trainables.tasks.codec import Example


def block_influence(
    family: Family, teacher: PreTrainedModel, examples: Sequence[Example], pad_id: int, batch_size: int
) -> dict[str, tuple[float, ...]]:
    """Stack -> 1 - the mean cosine between the input and the output of each block, over the real tokens."""
    sums: dict[str, torch.Tensor] = {}
    num_tokens = dict.fromkeys(family.stacks, 0)
    for start in range(0, len(examples), batch_size):
        batch = devices.move(collate(list(examples[start : start + batch_size]), pad_id), teacher.device)
        with torch.no_grad():
            outputs = forward(family, teacher.eval(), batch)
        for stack, states in outputs.states.items():
            real = [state[outputs.masks[stack]].double() for state in states]
            cosines = torch.stack([torch.cosine_similarity(one, other, dim=-1).sum() for one, other in pairwise(real)])
            sums[stack] = sums.get(stack, torch.zeros_like(cosines)) + cosines
            num_tokens[stack] += len(real[0])
    return {stack: tuple((1 - total / num_tokens[stack]).tolist()) for stack, total in sums.items()}
