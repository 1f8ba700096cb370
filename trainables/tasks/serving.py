"""The task kinds that a model family serves: those whose head it can build."""

from __future__ import annotations

from trainables.errors import Problem
from trainables.families import Family
from trainables.tasks.kinds import KINDS
from trainables.wording import listed


def served(family: Family) -> list[str]:
    """The task kinds that the family serves."""
    return [name for name, kind in KINDS.items() if kind.head_name in family.models]


def family_problems(family: Family, kind: str) -> list[Problem]:
    """Whether the family serves a task kind."""
    kinds = served(family)
    if kind in kinds:
        return []
    return [Problem("model.family", f"got {family.name} for a {kind} task; {family.name} serves {listed(kinds)}")]
