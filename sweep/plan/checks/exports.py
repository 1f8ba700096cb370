"""Checks that the best student can be exported, whichever it will be, and that the packages for it are installed."""

from __future__ import annotations

from collections.abc import Iterable

from sweep.grid.cells import Cell
from sweep.spec.sweep import SweepConfig
from trainables import forms
from trainables.errors import Problem
from trainables.families import FAMILIES
from trainables.tasks.kinds import KINDS

PATH = "students.export"


def export_problems(config: SweepConfig, cells: Iterable[Cell]) -> list[Problem]:
    """One problem per kind and family that has no such form, and one where packages are missing."""
    asked = config.students.export
    if not asked:
        return []
    got = f"got [{', '.join(asked)}]"
    problems: list[Problem] = []
    if missing := forms.missing_packages():
        names = " and ".join(missing)
        needs = f"{names} {'is' if len(missing) == 1 else 'are'} not installed"
        problems.append(Problem(PATH, f"{got}; {needs}: pip install 'distillation-sweep[export]'"))
    sorts = dict.fromkeys((cell.config.task.kind, cell.config.model.family) for cell in cells)
    reasons = dict.fromkeys(forms.obstacle(KINDS[kind], FAMILIES[family]) for kind, family in sorts)
    return problems + [Problem(PATH, f"{got}; {reason}: leave it empty") for reason in reasons if reason]
