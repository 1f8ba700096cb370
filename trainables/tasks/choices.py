"""How a record of a multiple-choice table becomes a context and its possible continuations.

The texts are the same as in lm-evaluation-harness.
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
"""Takes the task, the record, its choices and their labels; returns the context and the choices."""


def plain(task: TaskConfig, record: Fields, choices: Sequence[str], marks: Sequence[str]) -> tuple[str, list[str]]:
    """The context and choices, unchanged."""
    return record.text(task.context, "context"), list(choices)


def hellaswag(task: TaskConfig, record: Fields, choices: Sequence[str], marks: Sequence[str]) -> tuple[str, list[str]]:
    """HellaSwag's columns `activity_label`, `ctx_a` and `ctx_b` (Zellers et al., 2019) as one context."""
    activity, first, second = (record.text(name, "context") for name in ("activity_label", "ctx_a", "ctx_b"))
    context = f"{activity}: {first} {second.capitalize()}"
    return without_brackets(context), [without_brackets(choice) for choice in choices]


def lettered(task: TaskConfig, record: Fields, choices: Sequence[str], marks: Sequence[str]) -> tuple[str, list[str]]:
    """A question with its choices listed by letter; the letters are the continuations (CommonsenseQA)."""
    letters = list(marks if task.choice_labels else ascii_uppercase[: len(choices)])
    question = record.text(task.context, "context").strip()
    lines = [f"{letter}. {choice}" for letter, choice in zip(letters, choices, strict=False)]
    return "\n".join([f"Question: {question}", *lines, "Answer:"]), letters


FORMATS: dict[str, Format] = {"plain": plain, "hellaswag": hellaswag, "lettered": lettered}


def without_brackets(text: str) -> str:
    """A WikiHow text of HellaSwag without its marks, such as [title] and [step]."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")
