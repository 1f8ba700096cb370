"""Words in messages and reports."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[object], between: str = ", ") -> str:
    """`a`, `a and b`, `a, b and c`; there is at least one name."""
    *first, last = map(str, names)
    return f"{between.join(first)} and {last}" if first else last


def count(number: int, noun: str) -> str:
    """`1 student`, `3 students`"""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
