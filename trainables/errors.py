"""The one error for bad input, every problem of one answer with its field; and that of a cell that fails by itself."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong: the field's dotted path, and what was given and what would be right."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InputError(ValueError):
    """Bad input from a user; carries all its problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class NotFinite(ArithmeticError):
    """A loss or a gradient that is not a number: the cell has failed by itself."""


def raise_all(problems: list[Problem]) -> None:
    """Raises InputError where there is a problem."""
    if problems:
        raise InputError(problems)
