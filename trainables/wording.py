"""Words in messages and reports."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[object], between: str = ", ") -> str:
    """`a`, `a and b`, `a, b and c`; there is at least one name."""
    *first, last = map(str, names)
    return f"{between.join(first)} and {last}" if first else last
