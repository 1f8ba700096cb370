"""The classes of errors, on messages that libraries print in the wild, raised as the types that they have there."""

from __future__ import annotations

import errno
import http.client
import sqlite3
from collections.abc import Callable
from pathlib import Path

import aiohttp
import botocore.exceptions
import optuna
import pytest
import ray.exceptions
import requests
import sqlalchemy.exc
import torch
import torch.distributed
import urllib3.exceptions
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from safetensors import SafetensorError, safe_open

from sweep.jobs.faults import Fault, classify
from trainables.errors import InputError, NotFinite, Problem

ASYNCHRONOUS = (
    "\nCUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be "
    "incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\nCompile with `TORCH_USE_CUDA_DSA` to enable "
    "device-side assertions."
)
GPU_FULL = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.36 GiB is free."
    " Process 12 has 77.74 GiB memory in use. Of the allocated memory 75.93 GiB is allocated by PyTorch"
)
RAY_FULL = (
    "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2, ID: 87f3) was "
    "22.63GB used / 23.54GB limit (0.96)\nOOM kill reason: Memory usage exceeded threshold of 24012688588B (95.0%)"
)
NCCL = "NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.hpp:268, "


def cuda(message: str) -> Exception:
    """How torch raises an error of CUDA's runtime."""
    return torch.AcceleratorError(f"CUDA error: {message}{ASYNCHRONOUS}")


def aiohttp_refused() -> Exception:
    key = ConnectionKey("minio", 9000, False, True, None, None, None)
    return aiohttp.ClientConnectorError(key, ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 9000)"))


def client_error(code: str, message: str, operation: str) -> Exception:
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": message}}, operation)


def operational(message: str) -> Exception:
    return sqlalchemy.exc.OperationalError("INSERT INTO metrics", {}, sqlite3.OperationalError(message))


TABLE: list[tuple[Fault, Exception]] = [
    (Fault.GPU_MEMORY, torch.OutOfMemoryError(GPU_FULL)),
    (Fault.GPU_MEMORY, cuda("out of memory")),
    (Fault.GPU_MEMORY, RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")),
    (Fault.GPU_MEMORY, RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`")),
    (Fault.GPU_MEMORY, RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")),
    (Fault.GPU_MEMORY, RuntimeError("Unable to find a valid cuDNN algorithm to run convolution")),
    (
        Fault.GPU_MEMORY,
        RuntimeError("cuda runtime error (2) : out of memory at aten/src/THC/THCStorage.cu:58"),
    ),
    (Fault.GPU_MEMORY, RuntimeError("HIP out of memory. Tried to allocate 256.00 MiB. GPU 0 has a total capacity")),
    (
        Fault.GPU_MEMORY,
        torch.distributed.DistBackendError(
            f"{NCCL}unhandled cuda error, NCCL version 2.21.5\nLast error:\nCuda failure 2 'out of memory'"
        ),
    ),
    (
        Fault.HOST_MEMORY,
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 4000000000000000 bytes. Error code 12 (Cannot allocate memory)"
        ),
    ),
    (
        Fault.HOST_MEMORY,
        RuntimeError("[enforce fail at alloc_cpu.cpp:75] err == 0. not enough memory: you tried to allocate 8 bytes."),
    ),
    (Fault.HOST_MEMORY, MemoryError("Unable to allocate 7.45 GiB for an array with shape (1000000000,)")),
    (Fault.HOST_MEMORY, OSError(errno.ENOMEM, "Cannot allocate memory")),
    (Fault.HOST_MEMORY, RuntimeError("std::bad_alloc")),
    (
        Fault.HOST_MEMORY,
        RuntimeError("unable to mmap 1073741824 bytes from file <model.safetensors>: Cannot allocate memory (12)"),
    ),
    (
        Fault.HOST_MEMORY,
        RuntimeError(
            "DataLoader worker (pid 113) is killed by signal: Bus error. It is possible that dataloader's workers are "
            "out of shared memory. Please try to raise your shared memory limit."
        ),
    ),
    (Fault.HOST_MEMORY, ray.exceptions.OutOfMemoryError(RAY_FULL)),
    (Fault.HOST_MEMORY, ray.exceptions.ObjectStoreFullError("Failed to put object ffff in object store")),
    (Fault.DEVICE, cuda("unspecified launch failure")),
    (Fault.DEVICE, cuda("uncorrectable ECC error encountered")),
    (Fault.DEVICE, cuda("an illegal memory access was encountered")),
    (Fault.DEVICE, cuda("the launch timed out and was terminated")),
    (Fault.DEVICE, cuda("unknown error")),
    (Fault.DEVICE, cuda("Invalid access of peer GPU memory over nvlink or a hardware error")),
    (Fault.DEVICE, RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable")),
    (Fault.DEVICE, RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, ...)`")),
    (Fault.DEVICE, RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")),
    (
        Fault.DEVICE,
        RuntimeError("cuda runtime error (4) : unspecified launch failure at torch/lib/THC/THCTensorCopy.cu:85"),
    ),
    (
        Fault.DEVICE,
        RuntimeError("Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling ..."),
    ),
    (Fault.DEVICE, RuntimeError("No CUDA GPUs are available")),
    (
        Fault.DEVICE,
        torch.distributed.DistBackendError(
            f"{NCCL}remote process exited or there was a network error, NCCL version 2.21.5\nncclRemoteError: A call "
            "failed possibly due to a network error or a remote process exiting prematurely.\nLast error:\n"
            "socketProgressOpt: Call to recv from 172.16.0.2<33759> failed : Connection reset by peer"
        ),
    ),
    (
        Fault.DEVICE,
        RuntimeError(
            "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(OpType=ALLREDUCE) ran for 1800116 ms"
        ),
    ),
    (
        Fault.DEVICE,
        RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.2]:29400"),
    ),
    (Fault.DEVICE, torch.distributed.DistNetworkError("The client socket has timed out after 60000ms")),
    (Fault.DEVICE, ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")),
    (Fault.DEVICE, BrokenPipeError(errno.EPIPE, "Broken pipe")),
    (Fault.DEVICE, ray.exceptions.ActorDiedError()),
    (Fault.DEVICE, ray.exceptions.ActorUnavailableError("The actor is temporarily unavailable", b"0" * 16)),
    (Fault.DEVICE, ray.exceptions.WorkerCrashedError()),
    (Fault.DEVICE, ray.exceptions.NodeDiedError("Task failed because the node it was running on is dead")),
    (Fault.DEVICE, ray.exceptions.LocalRayletDiedError()),
    (Fault.DEVICE, ray.exceptions.ObjectLostError("ffff", None, "")),
    (
        Fault.STORAGE,
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/mnt/runs/teacher.json"),
    ),
    (Fault.STORAGE, OSError(errno.EIO, "Input/output error")),
    (Fault.STORAGE, OSError(errno.ESTALE, "Stale file handle")),
    (Fault.STORAGE, PermissionError(errno.EACCES, "Permission denied", "/mnt/runs")),
    (Fault.STORAGE, TimeoutError(errno.ETIMEDOUT, "Connection timed out")),
    (Fault.STORAGE, TimeoutError()),
    (Fault.STORAGE, botocore.exceptions.EndpointConnectionError(endpoint_url="http://minio:9000/sweeps")),
    (Fault.STORAGE, botocore.exceptions.ReadTimeoutError(endpoint_url="https://s3.amazonaws.com", error="timed out")),
    (Fault.STORAGE, botocore.exceptions.NoCredentialsError()),
    (Fault.STORAGE, client_error("SlowDown", "Please reduce your request rate.", "PutObject")),
    (Fault.STORAGE, client_error("InternalError", "We encountered an internal error.", "GetObject")),
    (Fault.STORAGE, aiohttp_refused()),
    (Fault.STORAGE, aiohttp.ServerDisconnectedError()),
    (Fault.STORAGE, requests.exceptions.ConnectionError("('Connection aborted.', RemoteDisconnected('Remote end'))")),
    (Fault.STORAGE, requests.exceptions.ReadTimeout("HTTPConnectionPool(host='mlflow', port=5000): Read timed out.")),
    (Fault.STORAGE, urllib3.exceptions.ProtocolError("Connection broken: IncompleteRead(0 bytes read)")),
    (Fault.STORAGE, http.client.IncompleteRead(b"")),
    (
        Fault.STORAGE,
        MlflowException(
            "API request to http://0.0.0.0:5000/api/2.0/mlflow/runs/create failed with exception "
            "HTTPConnectionPool(host='0.0.0.0', port=5000): Max retries exceeded with url: /api/2.0/mlflow/runs/create "
            "(Caused by ResponseError('too many 500 error responses'))"
        ),
    ),
    (Fault.STORAGE, operational("database is locked")),
    (Fault.STORAGE, optuna.exceptions.StorageInternalError("An exception is raised during the commit.")),
    (Fault.STORAGE, SafetensorError("Error while deserializing header: header too large")),
    (Fault.STORAGE, RuntimeError("PytorchStreamReader failed reading zip archive: failed finding central directory")),
    (Fault.STORAGE, RuntimeError("write(): fd 29 failed with Input/output error")),
    (
        Fault.STORAGE,
        OSError("We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them"),
    ),
    (Fault.DISK, OSError(errno.ENOSPC, "No space left on device")),
    (Fault.DISK, OSError(errno.EDQUOT, "Disk quota exceeded")),
    (Fault.DISK, OSError(errno.EROFS, "Read-only file system", "/mnt/runs")),
    (
        Fault.DISK,
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ),
    (
        Fault.DISK,
        RuntimeError(
            "[enforce fail at inline_container.cc:445] . PytorchStreamWriter failed writing file data/176: file write "
            "failed"
        ),
    ),
    (Fault.DISK, RuntimeError("[enforce fail at inline_container.cc:595] . unexpected pos 190007680 vs 190007572")),
    (Fault.DISK, operational("database or disk is full")),
    (Fault.DISK, ray.exceptions.OutOfDiskError("Local disk is full")),
    (Fault.NOT_FINITE, NotFinite("not finite at step 7: loss nan")),
    (Fault.NOT_FINITE, RuntimeError("Function 'LogSoftmaxBackward0' returned nan values in its 0th output.")),
    (Fault.CODE, cuda("device-side assert triggered")),
    (Fault.CODE, cuda("no kernel image is available for execution on the device")),
    (Fault.CODE, cuda("invalid device ordinal")),
    (Fault.CODE, RuntimeError("mat1 and mat2 shapes cannot be multiplied (8x16 and 32x4)")),
    (
        Fault.CODE,
        RuntimeError("The size of tensor a (128) must match the size of tensor b (64) at non-singleton dimension 1"),
    ),
    (
        Fault.CODE,
        RuntimeError("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"),
    ),
    (Fault.CODE, RuntimeError("Trying to backward through the graph a second time")),
    (
        Fault.CODE,
        RuntimeError("Error(s) in loading state_dict for Linear:\n\tsize mismatch for weight: copying a param with"),
    ),
    (
        Fault.CODE,
        RuntimeError("cumsum_cuda_kernel does not have a deterministic implementation, but you set it to be required"),
    ),
    (Fault.CODE, KeyError("labels")),
    (Fault.CODE, IndexError("index out of range in self")),
    (Fault.CODE, AttributeError("'NoneType' object has no attribute 'shape'")),
    (Fault.CODE, ValueError("Target size (torch.Size([8])) must be the same as input size (torch.Size([8, 3]))")),
    (Fault.CODE, ValueError("a plug-in says: CUDA out of memory")),
    (Fault.CODE, AssertionError()),
    (Fault.CODE, RecursionError("maximum recursion depth exceeded")),
    (Fault.CODE, ZeroDivisionError("division by zero")),
    (Fault.CODE, InputError([Problem("base.task", "got 'x'")])),
    (
        Fault.CODE,
        MlflowException("Changing param values is not allowed.", error_code=INVALID_PARAMETER_VALUE),
    ),
]


@pytest.mark.parametrize(("fault", "error"), TABLE, ids=lambda value: str(value)[:40])
def test_the_class_of_an_error(fault: Fault, error: Exception) -> None:
    assert classify(error) == fault


def test_the_table_has_every_class() -> None:
    assert {fault for fault, _ in TABLE} == set(Fault)


def raised(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        (Fault.HOST_MEMORY, lambda: torch.empty(10**15)),
        (Fault.HOST_MEMORY, lambda: bytearray(2**62)),
        (Fault.DISK, lambda: Path("/dev/full").write_text("x")),
        (Fault.CODE, lambda: torch.ones(2, 3) @ torch.ones(2, 3)),
        (Fault.CODE, lambda: torch.nn.functional.cross_entropy(torch.ones(1, 3), torch.tensor([7]))),
        (Fault.CODE, lambda: torch.load("/dev/null")),
        (Fault.STORAGE, lambda: safe_open("/dev/null", framework="pt")),
        (Fault.STORAGE, lambda: requests.get("http://127.0.0.1:9", timeout=1)),
    ],
)
def test_errors_that_libraries_raise_here(fault: Fault, call: Callable[[], object]) -> None:
    assert classify(raised(call)) == fault


def test_an_error_without_a_class_has_that_of_the_error_behind_it() -> None:
    """torch.save fails so on a full disk: its own error hides that of the file."""

    def save() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("the archive is not closed")

    def translate() -> None:
        try:
            save()
        except RuntimeError as error:
            raise ValueError("the student cannot be saved") from error

    def hide() -> None:
        try:
            save()
        except RuntimeError:
            raise ValueError("the student cannot be saved") from None

    assert [classify(raised(each)) for each in (save, translate, hide)] == [Fault.DISK, Fault.DISK, Fault.CODE]


def test_an_error_of_ray_has_the_class_of_its_cause() -> None:
    cause = torch.OutOfMemoryError(GPU_FULL)
    assert classify(ray.exceptions.RayTaskError("f", "Traceback", cause)) == Fault.GPU_MEMORY
    assert classify(ray.exceptions.RayTaskError("f", "Traceback", KeyError("x")).as_instanceof_cause()) == Fault.CODE


@given(st.lists(st.sampled_from([error for _, error in TABLE]), min_size=1, max_size=4, unique=True))
def test_the_first_class_in_a_chain_counts(errors: list[Exception]) -> None:
    """A class of its own comes before those behind it, whatever they are, and no order of errors hangs."""
    for outer, inner in zip(errors, [*errors[1:], errors[0]], strict=True):
        outer.__cause__ = inner
    try:
        own = [fault for each in errors for fault, error in TABLE if error is each and fault != Fault.CODE]
        assert classify(errors[0]) == (own[0] if own else Fault.CODE)
    finally:
        for each in errors:
            each.__cause__ = None
