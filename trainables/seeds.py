"""Named random streams: every draw of a cell depends on (seed, name) alone, so that no draw affects another.

Names in use: `start`, `init`, `data/<epoch>`, `dropout`, `lora`, `projection`,
`strategy/<stack>`, `teacher` (its dropout).
"""

from __future__ import annotations

import hashlib
import random


def stream(seed: int, name: str) -> int:
    """A 63-bit seed for the stream `name` of a cell: the same on every machine and Python version."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, name: str) -> random.Random:
    """Python's random generator for the stream `name`."""
    return random.Random(stream(seed, name))
