"""The answers of a cell to its test split, read from `predictions.jsonl`."""

from __future__ import annotations

import json
from typing import Any

from sweep.records.records import Record
from trainables.predictions import FILE

Answer = dict[str, Any]
"""A row of the file: `split`, `row` and `prediction`, with `text` and `reference` where it has them."""
SPLIT = "test"


def answers(record: Record) -> list[Answer]:
    """The answers to the split `test`, in the order of its rows; empty where the record has none."""
    file = record.path(FILE)
    lines = file.read_text(encoding="utf-8").splitlines() if file and file.is_file() else []
    return [row for row in map(json.loads, lines) if row["split"] == SPLIT]
