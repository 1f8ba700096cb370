"""predictions.jsonl: a student's answer to every row of the test splits, as plain transformers gives it.

    {"split": "test", "row": 0, "prediction": "entailment"}

A prediction is the name of a class, a number, a text, or a list: the names of the words' classes, or
the log-likelihoods of the row's choices in nats.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainables.tasks.kinds import KINDS

FILE = "predictions.jsonl"

Answers = dict[str, list[Any]]
"""Test split -> a model's answer to each row."""


def write(folder: Path, kind: str, answers: Answers, names: Sequence[str]) -> None:
    """Writes the file; `names` are the model's names of its classes."""
    lines = [
        json.dumps({"split": split, "row": row, "prediction": prediction}, ensure_ascii=False)
        for split, predictions in answers.items()
        for row, prediction in enumerate(KINDS[kind].shown(predictions, names))
    ]
    (folder / FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
