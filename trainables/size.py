"""How large a finished model is, and how fast it answers. Importing this module loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

BATCHES = (1, 32)
"""The batch sizes at which a model is timed."""


@dataclass(frozen=True)
class Size:
    """The size and the speed of a model."""

    parameters: int
    """Tied ones are counted once, and adapters are part of the weights that they are merged into."""
    without_embeddings: int
    """Those outside the tables of tokens, positions and segments."""
    megabytes: float
    """Its files of weights, in 10^6 bytes; for a teacher of the hub, its parameters in fp32."""
    examples_per_second: dict[int, float]
    """Batch size -> rows of the test split per second; without a batch that a GPU may have no memory for."""
