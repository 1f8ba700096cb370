"""Files of weights, read without torch: whether they are whole and finite, the shapes of their tensors, their hash.

A safetensors file is 8 bytes that say how long its header is, a JSON header with the dtype, shape and place of each
tensor, and the tensors themselves. A .bin of PyTorch is a zip archive, whose index stands at its end.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_LENGTH_BYTES = 8
_CHUNK_BYTES = 1 << 20
"""Small enough to be in the processor's cache for the hash and for the look at its numbers."""
_FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
_BF16_SIGNLESS, _BF16_INFINITY = 0x7FFF, 0x7F80


class Place(NamedTuple):
    """A tensor of a file: its dtype, its shape, and where its bytes begin and end behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def places(path: Path) -> dict[str, Place]:
    """The tensors of a safetensors file by name, in their order. Raises ValueError where it is cut off or damaged."""
    with path.open("rb") as file:
        return _places(file, path)


def sha256(path: Path) -> str:
    """The hash of a file of weights, in one pass. Raises ValueError where it is cut off, or a tensor is not finite.

    Whether the tensors of a .bin are finite only torch can tell.
    """
    total = hashlib.sha256()
    with path.open("rb") as file:
        if path.suffix != ".safetensors":
            if file.read(2) == b"PK" and not zipfile.is_zipfile(path):
                raise ValueError(f"{path.name} is cut off: its index is missing")
            return hashlib.file_digest(path.open("rb"), "sha256").hexdigest()
        tensors = _places(file, path)
        begin = file.tell()
        file.seek(0)
        total.update(file.read(begin))
        for name, place in tensors.items():
            for chunk in _chunks(file, place.end - place.start):
                total.update(chunk)
                if not _is_finite(chunk, place.dtype):
                    raise ValueError(f"{path.name} holds NaN or infinity in {name}")
    return total.hexdigest()


def missing_shards(index: Path) -> list[str]:
    """The files that an index of sharded weights names and that are not beside it. Raises ValueError for no index."""
    try:
        named = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{index.name} cannot be read: {error}") from None
    return [name for name in named if not (index.parent / name).is_file()]


def _places(file: BinaryIO, path: Path) -> dict[str, Place]:
    num_bytes = path.stat().st_size
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if num_bytes < _LENGTH_BYTES + length:
        raise ValueError(f"{path.name} is cut off: it has {num_bytes} bytes and its header alone would end after them")
    try:
        header: dict[str, Any] = json.loads(file.read(length))
        tensors = {name: _place(entry) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ValueError(f"{path.name} is no safetensors file: its header cannot be read") from None
    tensors = dict(sorted(tensors.items(), key=lambda item: item[1].start))
    end = 0
    for name, place in tensors.items():
        if place.start != end or place.end < place.start:
            raise ValueError(f"{path.name} is damaged: its header has a gap or an overlap at {name}")
        end = place.end
    needed = _LENGTH_BYTES + length + end
    if needed != num_bytes:
        raise ValueError(f"{path.name} is not whole: its header speaks of {needed} bytes, and it has {num_bytes}")
    return tensors


def _place(entry: Mapping[str, Any]) -> Place:
    start, end = map(int, entry["data_offsets"])
    return Place(str(entry["dtype"]), tuple(map(int, entry["shape"])), start, end)


def _chunks(file: BinaryIO, num_bytes: int) -> Iterator[bytes]:
    """The next bytes of a file, a part at a time, each of whole numbers of any dtype."""
    for start in range(0, num_bytes, _CHUNK_BYTES):
        yield file.read(min(num_bytes - start, _CHUNK_BYTES))


def _is_finite(content: bytes, dtype: str) -> bool:
    """Whether no number is NaN or infinite; integers are neither. NumPy has no bf16, whose bits are compared."""
    if dtype == "BF16":
        return not np.any(np.frombuffer(content, "<u2") & _BF16_SIGNLESS >= _BF16_INFINITY)
    return dtype not in _FLOATS or bool(np.isfinite(np.frombuffer(content, _FLOATS[dtype])).all())
