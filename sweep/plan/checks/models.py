"""Checks every teacher with its task, its students and its strategies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sweep.grid.blocks import Once
from sweep.grid.cells import Draft
from sweep.grid.fingerprint import canonical
from sweep.plan.checks.teachers import TeacherSource, find
from sweep.spec.fields import guess
from trainables import official
from trainables.config import LossConfig, ModelConfig, TaskConfig
from trainables.errors import InputError, Problem
from trainables.families import FAMILIES, Family, fitting, lora
from trainables.seeds import generator
from trainables.strategies import Stack, Strategy
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import Data
from trainables.tasks.serving import family_problems, served


class Models:
    """Finds teachers and caches them; a teacher with problems is cached as None.

    Without `look_up`, a teacher of the hub whose shape is stated is not looked up.
    """

    def __init__(self, *, look_up: bool = True) -> None:
        self._look_up = look_up
        self._teacher_sources: dict[str, TeacherSource | None] = {}
        self._keys = Once[str]()
        self._problems = Once[list[Problem]]()

    def check(self, draft: Draft, data: Data | None) -> list[Problem]:
        """The problems of the draft's model with its task, strategy and init, as far as these are valid."""
        model: ModelConfig | None = draft.valid.get("model")
        if model is None:
            return []
        family = FAMILIES.get(model.family)
        if family is None:
            return _placed(draft, [Problem("model.family", f"got {model.family!r}; {guess(model.family, FAMILIES)}")])
        lost = self._find(model, family)
        # Most drafts differ in their seeds and in how they are trained alone.
        blocks = [draft.valid.get(name) for name in ("model", "task", "strategy", "losses")]
        others = self._problems.of(
            lambda: self._check(model, family, draft, data), *blocks, data, key=draft.valid.get("init")
        )
        return _placed(draft, lost + others)

    def _check(self, model: ModelConfig, family: Family, draft: Draft, data: Data | None) -> list[Problem]:
        """The problems of a teacher that was looked for, with paths relative to the trial config."""
        problems = lora.check(family, model, draft.valid.get("init"))
        task: TaskConfig | None = draft.valid.get("task")
        if task is not None:
            problems += family_problems(family, task.kind) if task.kind in KINDS else []
        losses: LossConfig | None = draft.valid.get("losses")
        if losses is not None:
            kind = task.kind if task is not None and task.kind in KINDS else ""
            problems += official.check(family.name, kind, KINDS[kind].head(()) if kind else None, losses)
        teacher_source = self._teacher_sources[self._key(model)]
        if teacher_source is not None:
            problems += _check_task(family, model, teacher_source, task, data) + _check_student(
                family, model, teacher_source, draft
            )
        return problems

    def teacher_source(self, draft: Draft) -> TeacherSource | None:
        """The teacher of the draft's model."""
        model: ModelConfig | None = draft.valid.get("model")
        return None if model is None else self._teacher_sources.get(self._key(model))

    def _find(self, model: ModelConfig, family: Family) -> list[Problem]:
        key = self._key(model)
        if key in self._teacher_sources:
            return []
        self._teacher_sources[key] = None
        try:
            self._teacher_sources[key] = find(model, family, look_up=self._look_up)
        except InputError as error:
            return error.problems
        return []

    def _key(self, model: ModelConfig) -> str:
        fields = {"family", "teacher", "revision", "shape"}
        return self._keys.of(lambda: canonical(model.model_dump(mode="json", include=fields)), model)


def _check_task(
    family: Family, model: ModelConfig, teacher_source: TeacherSource, task: TaskConfig | None, data: Data | None
) -> list[Problem]:
    kind = KINDS[task.kind] if task is not None and task.kind in served(family) else None
    ready = kind.head(data.classes) if kind and data is not None and model.finetune is None else None
    is_found = teacher_source.source is not None and not teacher_source.is_stated
    problems = fitting.teacher_problems(family, teacher_source.config, ready) if is_found else []
    longest = family.max_length(teacher_source.config)
    if task is None or longest is None:
        return problems
    if task.max_length > longest:
        problems.append(
            Problem("task.max_length", f"got {task.max_length}; the teacher reads at most {longest} tokens")
        )
    if kind and kind.generates and task.max_new_tokens > longest:
        message = f"got {task.max_new_tokens}; the teacher writes at most {longest} tokens"
        problems.append(Problem("task.max_new_tokens", message))
    return problems


def _check_student(family: Family, model: ModelConfig, teacher_source: TeacherSource, draft: Draft) -> list[Problem]:
    problems = fitting.student_problems(
        family, teacher_source.config, model.student_blocks, model.student_width, draft.valid.get("init", "random")
    )
    strategy: Strategy | None = draft.valid.get("strategy")
    if strategy is None:
        return problems
    depths = family.num_blocks(teacher_source.config)
    problems += _strategy_problems(strategy, "model", lambda: strategy.check_stacks(depths))
    for name, num_teacher in depths.items():
        stack = Stack(name, num_teacher, model.student_blocks, (0.0,) * num_teacher)
        check = partial(_try_mapping, strategy, stack, match_embeddings=family.match_embeddings)
        problems += _strategy_problems(strategy, name, check)
    return problems


def _try_mapping(strategy: Strategy, stack: Stack, *, match_embeddings: bool) -> None:
    strategy.check(stack)
    if stack.num_student <= stack.num_teacher:
        strategy.mapping(stack, generator(0, "check"), match_embeddings=match_embeddings)


def _strategy_problems(strategy: Strategy, where: str, check: Callable[[], None]) -> list[Problem]:
    """The problem that a check of a strategy raises; it is about the model or one of its stacks, `where`."""
    try:
        check()
    except Exception as error:  # a plug-in's own code may raise anything
        field, separator, message = str(error).partition(": ")
        if isinstance(error, ValueError) and separator:
            return [Problem(f"strategy.{field}", message)]
        return [Problem("strategy.kind", f"{strategy.kind} fails on the {where}: {type(error).__name__}: {error}")]
    return []


def _placed(draft: Draft, problems: list[Problem]) -> list[Problem]:
    """The problems with the paths that the user wrote."""
    return [Problem(draft.where(tuple(path.split("."))), message) for path, message in problems]
