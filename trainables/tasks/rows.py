"""One example of a task as plain text, and the splits of a task with the hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Row:
    """One example. Each task kind has its own class of rows, with their fields (tasks/kinds)."""


@dataclass(frozen=True)
class Data:
    """The splits of a task; `classes` is empty for a kind without classes; `hash` is the `content_hash` of the rest."""

    train: list[Row]
    validation: list[Row]
    test: list[Row]
    classes: tuple[str, ...]
    hash: str
    more_tests: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])
    """Further test splits by name, such as MNLI's mismatched one; each is measured as `test` is."""

    @classmethod
    def of(cls, splits: Mapping[str, list[Row]], classes: Sequence[str]) -> Data:
        """The data of splits by name: train, validation and test, and possibly further test splits."""
        return cls(
            **{name: splits[name] for name in SPLITS},
            classes=tuple(classes),
            hash=content_hash(splits, classes),
            more_tests={name: rows for name, rows in splits.items() if name not in SPLITS},
        )

    def __str__(self) -> str:
        sizes = {"train": self.train, "validation": self.validation, **self.tests}
        return ", ".join(f"{len(rows)} rows of {name}" for name, rows in sizes.items())

    @property
    def tests(self) -> dict[str, list[Row]]:
        """Every split that the best student is measured on, `test` first."""
        return {"test": self.test, **self.more_tests}


def content_hash(splits: Mapping[str, Sequence[Row]], classes: Sequence[str]) -> str:
    """SHA-256 of the rows in their order and of the classes, whatever their source."""
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    for name in (*SPLITS, *sorted(splits.keys() - set(SPLITS))):
        digest.update(f"\n{name}".encode())
        for row in splits[name]:
            digest.update(b"\n" + json.dumps(astuple(row)).encode())
    return digest.hexdigest()
