"""The time of a device."""

from __future__ import annotations

import time

import torch


def clock(device: torch.device) -> float:
    """Seconds, read once the device has done all that it was given: a GPU's kernels run on after their launch."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
