"""What the hardware is fast at, and a worker's torch state: device, dtype, threads, a clean start for a cell."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import nn

Dtype = Literal["fp32", "bf16"]
Module = TypeVar("Module", bound="nn.Module")


def resolve_dtype(dtype: Literal["fp32", "bf16", "auto"], gpus: float) -> Dtype:
    """The dtype that `auto` stands for: bf16 on GPUs and on CPUs with bf16 units, fp32 elsewhere.

    On other CPUs torch runs bf16 in a scalar loop, up to 30 times slower than fp32. Reads the CPU's flags of
    this machine; imports no torch.
    """
    if dtype != "auto":
        return dtype
    return "bf16" if gpus > 0 or {"avx512_bf16", "amx_bf16"} & _cpu_flags() else "fp32"


def _cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return set()
    flags = (line for line in info.read_text().splitlines() if line.startswith("flags"))
    return set(next(flags, "").split())


def start_clean(num_threads: int, seed: int) -> torch.device:
    """Puts a worker that served another cell back to a known state, and gives the device to use.

    Everything of torch's that a cell may change and that changes numbers is set here: threads, random state,
    grad mode, default dtype, fp32 matmul precision, deterministic kernels. On a GPU an operation that has no
    deterministic kernel raises RuntimeError: with a warning alone, torch would take the faster, non-deterministic
    backward pass of attention.
    """
    import torch

    # cuBLAS, which reads this at its first call, is deterministic with a workspace of a fixed size alone.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(num_threads)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(torch.cuda.is_available())
    # Else each new tensor is first filled with NaN, by a kernel of its own.
    deterministic: Any = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = False
    torch.manual_seed(seed)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def clock(device: torch.device) -> float:
    """Seconds, read once the device has done all that it was given: a GPU's kernels run on after their launch."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def autocast(device: torch.device, dtype: Dtype) -> AbstractContextManager[object]:
    """Autocast to bf16, or nothing for fp32."""
    import torch

    return torch.autocast(device.type, torch.bfloat16) if dtype == "bf16" else nullcontext()


def place(module: Module, device: torch.device) -> Module:
    """The module itself, with its weights on the device."""
    from torch import nn

    nn.Module.to(module, device)
    return module


def move(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """The batch on the device; through pinned memory where there is a GPU, so that the copy does not block."""
    if device.type != "cuda":
        return batch
    return {name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in batch.items()}
