"""The parts of a micro-batch, where memory is too small for a whole one. It needs no torch, for use on the driver.

The terms of a step are sums over its tokens and labels, divided by the totals of the whole step. The parts of a
micro-batch therefore add up to the gradient of the whole one, as micro-batches do, up to the rounding of the sums.
Dropout draws other masks for parts than for the whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainables.config import LossConfig, TrainConfig

READY_BATCH_SIZE = 32
"""The examples of a batch of a teacher that is only measured."""


def batch_size(train: TrainConfig | None) -> int:
    """The examples of a whole micro-batch; None: the model is a ready teacher."""
    return train.batch_size if train else READY_BATCH_SIZE


def most_parts(train: TrainConfig | None, losses: LossConfig | None = None) -> int:
    """The most parts of a micro-batch that leave the objective as it is: one per example, or 1 for none at all.

    `losses` are those of a student; None: the model is a teacher. The public code, a distance between whole batches
    and a loss of a plug-in may depend on which examples are in a micro-batch.
    """
    if losses and (losses.semantics == "official" or losses.own or not losses.distance.is_sum_over_tokens):
        return 1
    return batch_size(train)


def part_size(whole: int, num_parts: int) -> int:
    """The examples of a part of a micro-batch of `whole` examples; the last part may have fewer."""
    return math.ceil(whole / num_parts)


def split(micro: Sequence[int], whole: int, num_parts: int) -> list[list[int]]:
    """The parts of a micro-batch of at most `whole` example indices, in their order."""
    size = part_size(whole, num_parts)
    return [list(micro[start : start + size]) for start in range(0, len(micro), size)]
