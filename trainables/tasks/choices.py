"""How a record of a multiple-choice table becomes a context and what may follow it.

The texts are those that lm-evaluation-harness gives a model for the same data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

from trainables.tasks.fields import Fields

if TYPE_CHECKING:
    from trainables.config import TaskConfig

Format = Callable[["TaskConfig", Fields, Sequence[str], Sequence[str]], tuple[str, list[str]]]
"""Takes the task, the record, its choices and the names that a label calls them; gives context and choices."""


def plain(task: TaskConfig, record: Fields, choices: Sequence[str], marks: Sequence[str]) -> tuple[str, list[str]]:
    """Context and choices as they stand in the data."""
    return record.text(task.context, "context"), list(choices)


def hellaswag(task: TaskConfig, record: Fields, choices: Sequence[str], marks: Sequence[str]) -> tuple[str, list[str]]:
    """HellaSwag's columns `activity_label`, `ctx_a` and `ctx_b` (Zellers et al., 2019) as one context."""
    activity, first, second = (record.text(name, "context") for name in ("activity_label", "ctx_a", "ctx_b"))
    context = f"{activity}: {first} {second.capitalize()}"
    return without_brackets(context), [without_brackets(choice) for choice in choices]


def lettered(task: TaskConfig, record: Fields, choices: Sequence[str], marks: Sequence[str]) -> tuple[str, list[str]]:
    """A question with its choices listed under letters; the letters are what may follow (CommonsenseQA)."""
    letters = list(marks if task.choice_labels else ascii_uppercase[: len(choices)])
    question = record.text(task.context, "context").strip()
    lines = [f"{letter}. {choice}" for letter, choice in zip(letters, choices, strict=False)]
    return "\n".join([f"Question: {question}", *lines, "Answer:"]), letters


FORMATS: dict[str, Format] = {"plain": plain, "hellaswag": hellaswag, "lettered": lettered}


def without_brackets(text: str) -> str:
    """HellaSwag's texts from WikiHow without their marks, such as [title] and [step]."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")
