"""The layers that LoRA's targets match, and checks of a config's adapters. It needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trainables.config import LoraConfig, ModelConfig
from trainables.errors import Problem
from trainables.families.base import Family


def targeted(names: Sequence[str], targets: Sequence[str] | None) -> list[str]:
    """The names that equal or end in one of the targets; all names where `targets` is None."""
    return list(names) if targets is None else [name for name in names if any(_is(name, target) for target in targets)]


def unmatched(names: Iterable[str], targets: Sequence[str] | None, path: str) -> list[Problem]:
    """The targets that match none of these linear layers, as one problem of the field at `path`."""
    missing = [target for target in targets or () if not any(_is(name, target) for name in names)]
    if not missing:
        return []
    ends = ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in names))
    return [Problem(path, f"got {', '.join(missing)}; the blocks' linear layers are {ends}")]


def check(family: Family, model: ModelConfig, init: str | None) -> list[Problem]:
    """Checks the adapters of a model against its family's declaration and the student's init."""
    configs: dict[str, LoraConfig | None] = {"teacher": model.teacher_lora, "student": model.student_lora}
    problems = [
        problem
        for role, lora in configs.items()
        if lora is not None and family.linears
        for problem in unmatched(family.linears, lora.targets, f"model.lora.{role}.targets")
    ]
    if model.student_lora is not None and init == "random":
        message = (
            "got adapters with init: random; weights that are drawn and then frozen learn nothing: "
            "give init: teacher, or model.lora.student: null"
        )
        problems.append(Problem("model.lora.student", message))
    return problems


def _is(name: str, target: str) -> bool:
    return f".{name}".endswith(f".{target}")
