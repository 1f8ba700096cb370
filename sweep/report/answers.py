"""The answers of a model to the test split, read from the `predictions.jsonl` of its record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sweep.records.records import Record
from trainables.predictions import FILE

SPLIT = "test"


@dataclass(frozen=True)
class Answer:
    """The answer to one row, with the row's text and its right answer where the file has them."""

    row: int
    prediction: Any
    text: str | None
    reference: str | None


def answers(record: Record) -> list[Answer]:
    """The answers to the split `test`, in the order of its rows; empty where the record has none."""
    return [
        Answer(line["row"], line["prediction"], _text(line.get("text")), _text(line.get("reference")))
        for line in answer_lines(record)
    ]


def answer_lines(record: Record) -> list[dict[str, Any]]:
    """The lines of the split `test` as they stand in the file."""
    file = record.path(FILE)
    lines = file.read_text(encoding="utf-8").splitlines() if file and file.is_file() else []
    return [line for line in map(json.loads, lines) if line["split"] == SPLIT]


def _text(value: Any) -> str | None:
    """One text: the texts of a pair, or several references, are joined."""
    return " | ".join(map(str, value)) if isinstance(value, list) else None if value is None else str(value)
