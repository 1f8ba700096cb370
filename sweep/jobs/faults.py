"""The classes of errors, by which a trial is ended, tried again, or made smaller.

An error is known by its type, by the number of an OSError, or, since torch raises RuntimeError for most faults of
devices, by its message. No library is imported: types are compared by their names.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Generator
from enum import StrEnum

from trainables.errors import NotFinite


class Fault(StrEnum):
    """The class of an error. The values are stored in records."""

    GPU_MEMORY = "out of GPU memory"
    """The memory of a GPU is too small."""
    HOST_MEMORY = "out of host memory"
    """The memory of the machine is too small."""
    DEVICE = "device or node lost"
    """A GPU, a worker or a node is lost or broken."""
    STORAGE = "storage or network"
    """A storage or a server does not answer, or a file is damaged."""
    DISK = "disk full or read-only"
    """A disk is full or read-only."""
    NOT_FINITE = "not finite"
    """A loss or a gradient is not a number."""
    CODE = "error"
    """Anything else: an error of the program, the config or a plug-in."""

    def reason(self, error: BaseException) -> str:
        """Why an attempt fails with an error of this class, on one line unless the error is one of the code."""
        if self == Fault.NOT_FINITE:
            return str(error)
        named = f"{type(error).__name__}: {error}"
        return named if self == Fault.CODE else f"{self}: {named.splitlines()[0]}"

    @property
    def is_outside(self) -> bool:
        """Whether the reason lies outside the cell, so that another attempt is worth a try."""
        return self in (Fault.DEVICE, Fault.STORAGE, Fault.DISK)

    @property
    def is_of_memory(self) -> bool:
        """Whether a smaller cohort, or a smaller micro-batch, may fit."""
        return self in (Fault.GPU_MEMORY, Fault.HOST_MEMORY)


_MESSAGES = {
    Fault.GPU_MEMORY: (
        r"(CUDA|HIP|XPU|MPS backend) out of memory",
        r"CUDA (driver )?error: out of memory",
        r"cuda runtime error \(2\)",
        r"Cuda failure (\d+ )?'out of memory'",
        r"(CUBLAS|CUDNN|CUSPARSE|CUSOLVER)_STATUS_ALLOC_FAILED",
        r"CUBLAS_STATUS_NOT_INITIALIZED",  # cuBLAS finds no room for its workspace
        r"Unable to find a valid cuDNN algorithm",
    ),
    Fault.HOST_MEMORY: (
        r"DefaultCPUAllocator",
        r"enforce fail at alloc_cpu\.cpp",
        r"[Cc]annot allocate memory",
        r"std::bad_alloc",
        r"[Cc]ould not allocate bytes object",
        r"out of shared memory",
    ),
    Fault.NOT_FINITE: (r"returned nan values in its",),
    Fault.DISK: (
        r"No space left on device",
        r"Read-only file system",
        r"Disk quota exceeded",
        r"disk is full",
        r"PytorchStreamWriter failed writing file",
        r"inline_container\.cc:\d+\] \. unexpected pos",
    ),
    Fault.DEVICE: (
        r"CUDA error: (an illegal|misaligned|unspecified|uncorrectable|unknown|hardware stack|the launch timed out)",
        r"CUDA error: (no CUDA-capable|all CUDA-capable|CUDA-capable device\(s\)|[Ii]nvalid access of peer)",
        r"CUDA error: (initialization error|driver shutting down|system (not yet|has unsupported))",
        r"cuda runtime error \((3|4|30|46|77|700|702|719)\)",
        r"(CUBLAS|CUDNN|CUSPARSE|CUSOLVER)_STATUS_(EXECUTION_FAILED|INTERNAL_ERROR|MAPPING_ERROR)",
        r"NCCL error|nccl(System|Internal|Remote|UnhandledCuda)Error|NCCL communicator was aborted",
        r"Watchdog caught collective operation timeout",
        r"Unexpected error from cudaGetDeviceCount|No CUDA GPUs are available|Found no NVIDIA driver",
        r"Connection (reset|closed) by (remote )?peer|Socket Timeout",
    ),
    Fault.STORAGE: (
        r"PytorchStreamReader failed",
        r"[Ii]nput/output error",
        r"database is locked",
    ),
}
"""What the messages of each class contain. The first class that fits counts."""

_MESSAGE_TYPES = (
    "builtins.RuntimeError",
    "builtins.OSError",
    "builtins.SystemError",
    "safetensors._safetensors_rust.SafetensorError",
    "sqlite3.Error",
    "sqlalchemy.exc.SQLAlchemyError",
)
"""The types whose messages count. What a plug-in says in a ValueError does not."""

_TYPES = {
    Fault.GPU_MEMORY: ("torch.OutOfMemoryError",),
    Fault.HOST_MEMORY: (
        "builtins.MemoryError",
        "ray.exceptions.OutOfMemoryError",
        "ray.exceptions.ObjectStoreFullError",
    ),
    Fault.DISK: ("ray.exceptions.OutOfDiskError",),
    Fault.DEVICE: (
        "builtins.ConnectionError",
        "ray.exceptions.RayActorError",
        "ray.exceptions.WorkerCrashedError",
        "ray.exceptions.NodeDiedError",
        "ray.exceptions.LocalRayletDiedError",
        "ray.exceptions.ObjectLostError",
        "ray.exceptions.RaySystemError",
        "ray.exceptions.RpcError",
        "ray.exceptions.GetTimeoutError",
        "torch.distributed.DistError",
    ),
    Fault.STORAGE: (
        "aiohttp.client_exceptions.ClientError",
        "azure.core.exceptions.AzureError",
        "botocore.exceptions.BotoCoreError",
        "botocore.exceptions.ClientError",
        "google.auth.exceptions.GoogleAuthError",
        "http.client.HTTPException",
        "httpx.HTTPError",
        "httpx2.HTTPError",
        "mlflow.exceptions.MlflowException",
        "optuna.exceptions.StorageInternalError",
        "safetensors._safetensors_rust.SafetensorError",
        "sqlalchemy.exc.OperationalError",
        "sqlite3.OperationalError",
        "urllib3.exceptions.HTTPError",
    ),
}
"""The types of each class; their subclasses belong to it too."""

_NUMBERS = {
    errno.ENOSPC: Fault.DISK,
    errno.EDQUOT: Fault.DISK,
    errno.EROFS: Fault.DISK,
    errno.ENOMEM: Fault.HOST_MEMORY,
}
"""The numbers of OSError that say more than its type."""

_REFUSED = "INVALID_PARAMETER_VALUE"
"""The code of an MlflowException for a request that MLflow would refuse again."""


def classify(error: BaseException) -> Fault:
    """The class of an error: its own, else that of the first error behind it that has one, else `CODE`."""
    return next((fault for each in _chain(error) if (fault := _class_of(each))), Fault.CODE)


def _chain(error: BaseException) -> Generator[BaseException]:
    """The error and those that it was raised from or during, the last one first. Ray keeps the cause of its own."""
    passed: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in passed:
        passed.add(id(current))
        yield current
        cause = getattr(current, "cause", None)
        if isinstance(cause, BaseException):
            yield from _chain(cause)
        context = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or context


def _class_of(error: BaseException) -> Fault | None:
    """The class of one error without those behind it; None: it has no class of its own."""
    if isinstance(error, NotFinite):
        return Fault.NOT_FINITE
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return _NUMBERS[error.errno]
    if getattr(error, "error_code", None) == _REFUSED:
        return None
    names = {f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__}
    by_message = _by_message(str(error)) if names.intersection(_MESSAGE_TYPES) else None
    by_type = (fault for fault, types in _TYPES.items() if names.intersection(types))
    return by_message or next(by_type, Fault.STORAGE if isinstance(error, OSError) else None)


def _by_message(text: str) -> Fault | None:
    matching = (fault for fault, patterns in _MESSAGES.items() if any(re.search(each, text) for each in patterns))
    return next(matching, None)
