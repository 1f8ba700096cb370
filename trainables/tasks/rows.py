"""One example of a task as plain text, and the three splits of a task with the hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class ClassificationRow:
    """One text or a pair, and the index of its class."""

    texts: tuple[str, ...]
    label: int


@dataclass(frozen=True)
class GenerationRow:
    """A source and what it may become; the first reference is trained on."""

    source: str
    references: tuple[str, ...]


Row = ClassificationRow | GenerationRow


@dataclass(frozen=True)
class Data:
    """The splits of a task; `classes` is empty for generation, `hash` is `content_hash` of the rest."""

    train: list[Row]
    validation: list[Row]
    test: list[Row]
    classes: tuple[str, ...]
    hash: str

    @classmethod
    def of(cls, splits: Mapping[str, list[Row]], classes: Sequence[str]) -> Data:
        return cls(
            **{name: splits[name] for name in SPLITS}, classes=tuple(classes), hash=content_hash(splits, classes)
        )


def content_hash(splits: Mapping[str, Sequence[Row]], classes: Sequence[str]) -> str:
    """SHA-256 of the rows in their order and of the classes: the content, not where it came from."""
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    for name in SPLITS:
        digest.update(f"\n{name}".encode())
        for row in splits[name]:
            digest.update(b"\n" + json.dumps(astuple(row)).encode())
    return digest.hexdigest()
