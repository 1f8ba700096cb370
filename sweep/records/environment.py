"""The environment of a sweep: git commit, package versions, hardware and a hash of the source. Imports no engine."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psutil
from pydantic import BaseModel

PACKAGES = (
    "distillation-sweep",
    "datasets",
    "mlflow",
    "numpy",
    "ray",
    "sacrebleu",
    "tokenizers",
    "torch",
    "transformers",
)
SOURCES = ("sweep", "trainables")
UNKNOWN = "unknown"
COMMIT_VARIABLE, DIRTY_VARIABLE = "SWEEP_GIT_COMMIT", "SWEEP_GIT_DIRTY"
"""Variables that tell a submitted job about the repository that it was submitted from."""


class CodeVersion(BaseModel, frozen=True):
    """The version of the code that runs, as the driver sees it."""

    git_commit: str
    """The commit of the repository that the command was run in; `unknown` if there is none."""
    git_dirty: bool | None
    """Whether files of that repository differ from the commit; None if there is no repository."""
    source_hash: str
    versions: dict[str, str]
    """The versions of the packages that affect the numbers."""

    @classmethod
    def here(cls) -> Self:
        return cls(git_commit=git_commit(), git_dirty=git_dirty(), source_hash=source_hash(), versions=versions())


class Environment(CodeVersion, frozen=True):
    """What a result was computed with: the driver's code on a worker's machine."""

    host: str
    cpu: str
    gpus: list[str]

    @classmethod
    def of_worker(cls, code: CodeVersion) -> Environment:
        """The driver's code version with the hardware of this machine, even if `code` describes the driver's."""
        known = {name: getattr(code, name) for name in CodeVersion.model_fields}
        return Environment(**known, host=host(), cpu=cpu(), gpus=gpus())


class SweepEnvironment(Environment, frozen=True):
    """The whole environment of the driver."""

    python: str
    platform: str
    num_cpus: int | None
    memory_gb: float


def describe() -> SweepEnvironment:
    """The whole environment of this process."""
    return SweepEnvironment(
        **dict(Environment.of_worker(CodeVersion.here())),
        python=platform.python_version(),
        platform=platform.platform(),
        num_cpus=num_cpus(),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
    )


def held_memory() -> str:
    """The memory that this process holds, and that of the machine, in words."""
    machine, held = psutil.virtual_memory(), psutil.Process().memory_info().rss
    return f"the process holds {_gb(held)}, and {_gb(machine.available)} of the machine's {_gb(machine.total)} are free"


def _gb(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.1f} GB"


def host() -> str:
    return platform.node() or UNKNOWN


def git_commit() -> str:
    """The commit of the repository that the command was run in; `unknown` if there is none."""
    return os.environ.get(COMMIT_VARIABLE) or _output("git", "rev-parse", "HEAD") or UNKNOWN


def git_dirty() -> bool | None:
    """Whether files of that repository differ from the commit; None if there is no repository."""
    if DIRTY_VARIABLE in os.environ:
        return {"true": True, "false": False}.get(os.environ[DIRTY_VARIABLE])
    status = _output("git", "status", "--porcelain")
    return None if status is None else bool(status)


@cache
def source_hash() -> str:
    """sha256 over the Python source of both packages."""
    specs = [find_spec(package) for package in SOURCES]
    return hash_sources([Path(spec.origin).parent for spec in specs if spec and spec.origin])


def hash_sources(folders: Sequence[Path]) -> str:
    """sha256 over the names and contents of the Python files in these folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(folder.parent).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """The versions of the installed packages that affect the numbers, without importing them."""
    return {name: found.version for name in PACKAGES for found in metadata.distributions(name=name)}


def cpu() -> str:
    """The name of the processor, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def num_cpus() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[str]:
    """The names of this host's NVIDIA GPUs."""
    if shutil.which("nvidia-smi") is None:
        return []
    return (_output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or "").splitlines()


def _output(*command: str) -> str | None:
    """The output of a command; None if the command is not installed or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
