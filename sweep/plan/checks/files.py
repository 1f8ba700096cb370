"""Reads the files of a teacher's folder and hashes their content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from trainables import weights
from trainables.errors import InputError, Problem


def content_hash(files: list[Path]) -> str:
    """The hash of names and contents. Raises ValueError if weights among the files are incomplete or not finite."""
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.name} {_file_hash(path)}\n".encode())
    return total.hexdigest()


def _file_hash(path: Path) -> str:
    if path.suffix in (".safetensors", ".bin"):
        return weights.sha256(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file. Raises InputError if the file holds none or cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise refusal(f"got {str(path)!r}, which cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise refusal(f"got {str(path)!r}, which holds no mapping")
    return value


def refusal(message: str) -> InputError:
    """The error for a teacher that cannot be used."""
    return InputError([Problem("model.teacher", message)])
