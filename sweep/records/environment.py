"""Where and with what a sweep runs: git commit, versions, hardware, a hash of the source. Imports no engine."""

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
from typing import Any

import psutil

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
"""What a submitted job is told of the repository that it was submitted from."""


def describe() -> dict[str, Any]:
    """All that is known of this process's surroundings, as plain data."""
    return {
        "git_commit": git_commit(),
        "git_dirty": git_dirty(),
        "source_hash": source_hash(),
        "python": platform.python_version(),
        "versions": versions(),
        "host": host(),
        "platform": platform.platform(),
        "cpu": cpu(),
        "num_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpus": gpus(),
    }


def tags(environment: dict[str, Any]) -> dict[str, str]:
    """What every run says of where the command was given."""
    return {
        "git_commit": environment["git_commit"],
        "git_dirty": str(environment["git_dirty"]).lower(),
        "source_hash": environment["source_hash"],
    }


def host() -> str:
    return platform.node() or UNKNOWN


def git_commit() -> str:
    """The commit of the repository that the command was given in; `unknown` where there is none."""
    return os.environ.get(COMMIT_VARIABLE) or _output("git", "rev-parse", "HEAD") or UNKNOWN


def git_dirty() -> bool | None:
    """Whether files of that repository differ from the commit; None where there is none."""
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
    """Versions of the packages that numbers depend on, without importing them; those that are installed."""
    return {name: found.version for name in PACKAGES for found in metadata.distributions(name=name)}


def cpu() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def gpus() -> list[str]:
    """The names of this host's NVIDIA GPUs."""
    if shutil.which("nvidia-smi") is None:
        return []
    return (_output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or "").splitlines()


def _output(*command: str) -> str | None:
    """What a command prints; None where it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
