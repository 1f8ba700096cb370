"""Checks for splits that are valid by themselves but make a score meaningless."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from trainables.config import TaskConfig
from trainables.errors import Problem
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data


def split_problems(task: TaskConfig, data: Data) -> list[Problem]:
    """One problem per split whose texts are all empty or whose rows are those of another split.

    Paths are relative to the task.
    """
    splits = {"train": data.train, "validation": data.validation, **data.tests}
    kind = KINDS[task.kind]
    problems = [
        Problem(_field(task, name), f"got {_shown(task, name)}; it has empty texts only")
        for name, rows in splits.items()
        if not any("".join(kind.input(row)).strip() for row in rows)
    ]
    return problems + [
        Problem(
            _field(task, later),
            f"got {_shown(task, later)}; it has the same rows as {first}, and each split needs rows of its own",
        )
        for first, later in combinations(splits, 2)
        if Counter(splits[first]) == Counter(splits[later])
    ]


def _field(task: TaskConfig, split: str) -> str:
    """The config field that says where a split's rows come from."""
    if task.generated:
        return "generated"
    return f"files.{split}" if task.files and split not in (task.splits or {}) else f"splits.{split}"


def _shown(task: TaskConfig, split: str) -> str:
    """What the config gives for a split."""
    if task.generated:
        return f"{split} of {task.generated.generator}"
    file = getattr(task.files, split, None)
    return repr((task.splits or {}).get(split, file or split))
