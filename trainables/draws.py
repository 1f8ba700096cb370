"""A random stream for the dropout of one model, drawn from torch's global generators."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch

from trainables.state import State


class Draws:
    """A random stream of its own, to which torch's generators are set while a model draws from it.

    Each model of a cohort therefore draws the same numbers as alone.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self._host = torch.Generator().manual_seed(seed).get_state()
        is_gpu = device.type == "cuda"
        self._gpu = torch.Generator(device).manual_seed(seed).get_state() if is_gpu else None

    def state(self) -> State:
        """The position of the stream."""
        return State({"host": self._host} | ({} if self._gpu is None else {"gpu": self._gpu}))

    def restore(self, state: State) -> None:
        """Continues from a saved position."""
        self._host, self._gpu = state.tensors["host"], state.tensors.get("gpu")

    @contextmanager
    def drawn(self) -> Generator[None]:
        """Inside this context torch draws from the stream, on the host and on the device."""
        torch.set_rng_state(self._host)
        if self._gpu is not None:
            torch.cuda.set_rng_state(self._gpu, self._device)
        yield
        self._host = torch.get_rng_state()
        if self._gpu is not None:
            self._gpu = torch.cuda.get_rng_state(self._device)
