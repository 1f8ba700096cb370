"""Which layers LoRA's targets name, and what a config asks of adapters that cannot be. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trainables.config import LoraConfig, ModelConfig
from trainables.errors import Problem
from trainables.families.base import Family


def targeted(names: Sequence[str], targets: Sequence[str] | None) -> list[str]:
    """The names that are, or end in, one of the targets; all of them where there is no choice."""
    return list(names) if targets is None else [name for name in names if any(_is(name, target) for target in targets)]


def unmatched(names: Iterable[str], targets: Sequence[str] | None, path: str) -> list[Problem]:
    """The targets that name none of these linear layers, as one problem of the field at `path`."""
    lost = [target for target in targets or () if not any(_is(name, target) for name in names)]
    if not lost:
        return []
    ends = ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in names))
    return [Problem(path, f"got {', '.join(lost)}; the blocks' linear layers are {ends}")]


def check(family: Family, model: ModelConfig, init: str | None) -> list[Problem]:
    """Whether the adapters that a model asks for can be made, as far as the family's declaration says."""
    given: dict[str, LoraConfig | None] = {"teacher": model.teacher_lora, "student": model.student_lora}
    problems = [
        problem
        for role, lora in given.items()
        if lora is not None and family.linears
        for problem in unmatched(family.linears, lora.targets, f"model.lora.{role}.targets")
    ]
    if model.student_lora is not None and init == "random":
        message = (
            "got adapters with init: random; weights that are drawn and then frozen learn nothing: "
            "init: teacher, or model.lora.student: null"
        )
        problems.append(Problem("model.lora.student", message))
    return problems


def _is(name: str, target: str) -> bool:
    return f".{name}".endswith(f".{target}")
