"""What a student answered to every row of the test splits, as plain transformers gives it: predictions.jsonl.

    {"split": "test", "row": 0, "prediction": "entailment"}

The prediction is the name of a class, a text, or the log-likelihoods of the row's choices in nats.
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
    """Writes the file; `names` are those that the model has for its classes."""
    lines = [
        json.dumps({"split": split, "row": row, "prediction": prediction}, ensure_ascii=False)
        for split, given in answers.items()
        for row, prediction in enumerate(KINDS[kind].shown(given, names))
    ]
    (folder / FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
