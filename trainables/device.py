"""The fast dtype of the hardware, and the torch state of a worker: device, threads and a clean start for each cell."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

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
    """Resets the torch state of a worker that may have run another cell, and returns the device to use.

    It sets all torch state that a cell may change and that changes numbers: threads, random state,
    grad mode, default dtype, fp32 matmul precision, deterministic kernels. On a GPU an operation that has no
    deterministic kernel raises RuntimeError: with a warning alone, torch would take the faster, non-deterministic
    backward pass of attention.
    """
    import torch

    # cuBLAS reads this at its first call; it is deterministic only with a workspace of fixed size.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(num_threads)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(torch.cuda.is_available())
    # Otherwise each new tensor would first be filled with NaN by a separate kernel.
    deterministic: Any = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = False
    torch.manual_seed(seed)
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def free_memory() -> None:
    """Frees what a failed attempt has left on the host and on the GPUs, once nothing refers to it."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class Placement(NamedTuple):
    """Where a cohort is computed."""

    teacher: torch.device
    students: tuple[torch.device, ...]
    """The devices among which the students are spread."""

    def student(self, index: int) -> torch.device:
        """The device of the student with this index in its cohort."""
        return self.students[index % len(self.students)]


def placement(device: torch.device) -> Placement:
    """All of a cohort on `device`; of several GPUs, the first is the teacher's and the others are the students'."""
    import torch

    num_gpus = torch.cuda.device_count() if device.type == "cuda" else 0
    if num_gpus < 2:
        return Placement(device, (device,))
    return Placement(device, tuple(torch.device("cuda", index) for index in range(1, num_gpus)))


class Stopwatch:
    """Counts the seconds that a device spends on the work started inside `running`; only `read` waits for a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._seconds = device, 0.0
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def running(self) -> Generator[None]:
        """Measures what is inside."""
        import torch

        if self._device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            yield
            end.record()
            self._events.append((start, end))
        else:
            started = time.perf_counter()
            yield
            self._seconds += time.perf_counter() - started

    def read(self) -> float:
        """The seconds since the last reading."""
        for start, end in self._events:
            end.synchronize()
            self._seconds += start.elapsed_time(end) / 1000
        seconds, self._seconds, self._events = self._seconds, 0.0, []
        return seconds


def autocast(device: torch.device, dtype: Dtype) -> AbstractContextManager[object]:
    """Autocast to bf16; for fp32 a context without effect."""
    import torch

    return torch.autocast(device.type, torch.bfloat16) if dtype == "bf16" else nullcontext()


def place(module: Module, device: torch.device) -> Module:
    """Moves a module's weights to the device, and returns the module."""
    from torch import nn

    nn.Module.to(module, device)
    return module


def move(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """The batch on the device; for a GPU it is copied from pinned memory, so that the copy does not block."""
    if device.type != "cuda":
        return batch
    return {name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in batch.items()}
