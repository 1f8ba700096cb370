"""The pulse of a training: a number that grows with each batch, by which a watchdog sees that work goes on.

It also says how far a training has come, in places that outlive the process.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from mmap import mmap

_batches = itertools.count(1)
_last = 0
_begun = 0
_places: Sequence[mmap] = ()

NUM_BYTES = 8
"""The size of a place."""


def beat() -> None:
    """Says that the next batch of a training, a validation or a test begins."""
    global _last
    _last = next(_batches)
    for place in _places:
        place[:NUM_BYTES] = num_since().to_bytes(NUM_BYTES)


def num_batches() -> int:
    """The batches that this process has begun."""
    return _last


def begin(places: Sequence[mmap] = ()) -> None:
    """Counts the batches from here on, and writes their number into these places at each of them."""
    global _begun, _places
    _begun, _places = _last, places


def num_since() -> int:
    """The batches that have begun since `begin`."""
    return _last - _begun
