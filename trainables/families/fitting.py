"""Checks that a head, a model's config and a student fit a family; problems have their paths in the trial config.

It needs no torch, so that a plan can use it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from trainables.errors import Problem
from trainables.families.base import Family, Shape
from trainables.heads import Head, HeadName


def head_problems(family: Family, head: HeadName) -> list[Problem]:
    """Checks that the family can build models with a head."""
    if head in family.models:
        return []
    message = f"got {family.name}, which has no {head} head; its heads are {', '.join(family.models)}"
    return [Problem("model.family", message)]


def teacher_problems(family: Family, config: Shape, ready: Head | None = None) -> list[Problem]:
    """Checks that a config.json is of this family and, for a teacher used as it is, has the head `ready`."""
    model_type = config.get("model_type")
    if model_type != family.model_type:
        return [
            Problem("model.teacher", f"got a model of type {model_type!r}; {family.name} needs {family.model_type!r}")
        ]
    if ready is None or not ready.has_labels:
        return []
    if (model := family.models[ready.name].name) not in (config.get("architectures") or []):
        message = f"got a model without the task's head ({model}); give finetune, or a fine-tuned teacher"
        return [Problem("model.teacher", message)]
    names: Shape = config.get("id2label") or {}
    num_outputs = len(names) or config.get("num_labels", 2)
    if num_outputs != ready.num_outputs:
        needed = f"the task needs {ready.num_outputs}: give finetune, or another teacher"
        message = f"got a head of {num_outputs} outputs; {needed}"
        return [Problem("model.teacher", message)]
    ordered = [str(names[key]) for key in map(str, range(num_outputs)) if key in names]
    if _differ_in_order(ordered, ready.labels):
        message = (
            f"got the classes {', '.join(ordered)}; the task's are {', '.join(ready.labels)}, in this order: "
            "give task.classes and the labels in the teacher's order, or finetune"
        )
        return [Problem("model.teacher", message)]
    return []


def scratch_problems(family: Family, fields: Shape) -> list[Problem]:
    """Checks that the fields of a teacher from scratch are known and consistent."""
    path = "model.teacher.config"
    problems = [Problem(f"{path}.{key}", _guess(family, key)) for key in fields if key not in family.config_fields]
    problems += [Problem(f"{path}.{key}", message) for key, message in wrong_sizes(family, fields).items()]
    return problems or _check_divisible(family, {**family.scratch_fields, **fields}, path)


def wrong_sizes(family: Family, config: Shape) -> dict[str, str]:
    """Config key -> what is wrong with the size that it sets."""
    sizes = [key for key in family.defaults if key not in family.token_ids]
    shape = [*sizes, *(key for blocks in family.stacks.values() for key in blocks.depth)]
    values = {key: config[key] for key in shape if config.get(key) is not None}
    return {
        key: f"got {value!r}; expected a whole number of at least 1"
        for key, value in values.items()
        if not isinstance(value, int) or isinstance(value, bool) or value < 1
    }


def student_problems(family: Family, config: Shape, num_blocks: int, width: int | None, init: str) -> list[Problem]:
    """Checks that a teacher can have a student of this depth, width and init."""
    problems = [
        Problem("model.student_blocks", f"got {num_blocks}; the teacher's {stack} has {teacher} blocks")
        for stack, teacher in family.num_blocks(config).items()
        if num_blocks > teacher
    ]
    if width is None or width == family.width(config):
        return problems
    if init != "random":
        message = f"got {width} with init: {init}; weights can be copied to the teacher's {family.width(config)} only"
        problems.append(Problem("model.student_width", message))
    head = family.scaled_head_field
    if head is not None and family.at_width(config, width)[head] < 1:
        least = -(-family.width(config) // family.value(config, head))
        message = f"got {width}; expected at least {least}, so that {head}, which follows the width, is not 0"
        problems.append(Problem("model.student_width", message))
    narrow = _check_divisible(family, {**config, family.width_field: width}, "")
    return problems + [Problem("model.student_width", problem.message) for problem in narrow]


def _check_divisible(family: Family, config: Shape, path: str) -> list[Problem]:
    # A divisor that is null, in the config or by default, follows from the other key.
    checked = [(a, b) for a, b in family.divisible if config.get(b, family.defaults.get(b)) is not None]
    pairs = [(a, family.value(config, a), b, family.value(config, b)) for a, b in checked]
    return [Problem(f"{path}.{a}", f"got {x}; expected a multiple of {b}, {y}") for a, x, b, y in pairs if x % y]


def _guess(family: Family, key: str) -> str:
    near = difflib.get_close_matches(key, sorted(family.config_fields), n=1, cutoff=0)
    return f"got an unknown field of {family.config_class}; did you mean {near[0]!r}?"


def _differ_in_order(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a name is at different positions in the two lists; case does not matter."""
    ours, theirs = [name.casefold() for name in names], [name.casefold() for name in others]
    return any(name in theirs and theirs[index] != name for index, name in enumerate(ours))
