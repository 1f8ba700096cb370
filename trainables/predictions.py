"""predictions.jsonl: a model's answer to every row of the test splits, as plain transformers gives it.

    {"split": "test", "row": 0, "text": ["a dog", "an animal"], "reference": "entailment",
     "prediction": "entailment", "score": 1.0}

A prediction is the name of a class, a number, a text, or a list: the names of the words' classes, or the
log-likelihoods of the row's choices in nats. A reference has the same form, for choices the index of the right one and
for texts the list of all that are right. The score is that of `Kind.row_scores`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Row

FILE = "predictions.jsonl"

Answers = dict[str, list[Any]]
"""Test split -> a model's answer to each row."""


def class_names(config: Any) -> list[str]:
    """The names of a model's classes in their order, from its transformers config."""
    names: dict[int, str] = config.id2label or {}
    return [names[index] for index in sorted(names)]


def write(folder: Path, kind: str, splits: Mapping[str, Sequence[Row]], answers: Answers, names: Sequence[str]) -> None:
    """Writes the file; `names` are the model's names of its classes."""
    lines = [
        json.dumps({"split": split, "row": number, **facts}, ensure_ascii=False)
        for split, predictions in answers.items()
        for number, facts in enumerate(described(kind, splits[split], predictions, names))
    ]
    (folder / FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read(
    file: Path, kind: str, splits: Mapping[str, Sequence[Row]], class_names: Sequence[Sequence[str]] = ((),)
) -> Answers:
    """The answers of the file, in the form that `Kind.score` takes.

    `class_names`: the names that the model's classes may have, in their order. Raises ValueError where the file does
    not answer these rows, or where its references are not theirs under any of these names.
    """
    own = KINDS[kind]
    lines: dict[str, list[dict[str, Any]]] = {split: [] for split in splits}
    for line in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
        lines.setdefault(line["split"], []).append(line)
    for split, rows in splits.items():
        if len(lines[split]) != len(rows):
            raise ValueError(f"{FILE} has {len(lines[split])} answers for the {len(rows)} rows of {split}")
    for names in class_names:
        index = {name: number for number, name in enumerate(names)}
        try:
            right = {split: own.shown(own.references(rows), names) for split, rows in splits.items()}
            answers = {split: own.read_shown([line["prediction"] for line in lines[split]], index) for split in splits}
        except (KeyError, IndexError):
            continue
        stored = {split: [line.get("reference") for line in lines[split]] for split in splits}
        if stored == json.loads(json.dumps(right)):
            return answers
    raise ValueError(f"the references in {FILE} are not those of the data")


def described(kind: str, rows: Sequence[Row], predictions: Sequence[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Text, reference, prediction and score of each row."""
    own = KINDS[kind]
    columns = zip(
        map(own.input, rows),
        own.shown(own.references(rows), names),
        own.shown(predictions, names),
        own.row_scores(rows, predictions),
        strict=True,
    )
    return [dict(zip(("text", "reference", "prediction", "score"), column, strict=True)) for column in columns]
