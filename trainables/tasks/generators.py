"""Generated tasks: the generators by name, and what a generator is.

A built-in generator is a module with `KIND`, `CLASSES` and `generate`; a plug-in's generator is a `Generator`, and the
class of its rows tells their task kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from trainables.errors import InputError, Problem
from trainables.tasks.fields import has_lone_surrogate
from trainables.tasks.kinds import KINDS
from trainables.tasks.rows import SPLITS, Data, Row

if TYPE_CHECKING:
    from trainables.config import Generated

Generate = Callable[["Generated"], Mapping[str, list[Row]]]
"""Takes the seed and sizes; returns the rows of `train`, `validation` and `test`, the same on every machine."""

BUILT_IN = ("natural_logic", "localisation")


@dataclass(frozen=True)
class Generator:
    """A generator from a plug-in; `classes` is empty for a task without classes."""

    name: str
    generate: Generate
    classes: tuple[str, ...] = ()


GENERATORS: dict[str, Generator] = {}
"""The generators of plug-ins."""


def generated(config: Generated, kind: str) -> Data:
    """The data of a generator for a task kind.

    Raises InputError, with paths relative to the task, for a generator that is unknown, makes rows for another kind,
    or makes invalid rows.
    """
    name = config.generator
    if name in BUILT_IN:  # imported only when needed: babel takes a second
        module = import_module(f"trainables.tasks.{name}")
        if kind != module.KIND:
            raise _wrong_kind(kind, name, module.KIND)
        return Data.of(module.generate(config), module.CLASSES)
    if name not in GENERATORS:
        raise _wrong(f"got {name!r}; expected one of {', '.join([*BUILT_IN, *GENERATORS])}")
    generator = GENERATORS[name]
    try:
        splits = {split: list(rows) for split, rows in generator.generate(config).items()}
    except Exception as error:  # a plug-in's own code may raise anything
        raise _wrong(f"got {name!r}, which fails: {type(error).__name__}: {error}") from error
    for split in SPLITS:
        if not splits.get(split):
            raise _wrong(f"got {name!r}, which gives no rows for {split}")
        _check_rows(generator, kind, split, splits[split])
    return Data.of(splits, generator.classes)


def _check_rows(generator: Generator, kind: str, split: str, rows: Sequence[Row]) -> None:
    for number, row in enumerate(rows, start=1):
        place = f"row {number} of {split}"
        if isinstance(row, KINDS[kind].row):
            if fault := KINDS[kind].fault(row, generator.classes):
                raise _wrong(f"got {generator.name!r}, which gives {place} {fault}")
            if has_lone_surrogate(astuple(row)):
                raise _wrong(f"got {generator.name!r}, which gives {place} half a surrogate pair: UTF-8 cannot hold it")
            continue
        others = [other.name for other in KINDS.values() if isinstance(row, other.row)]
        if others:
            raise _wrong_kind(kind, generator.name, others[0])
        needed, actual = KINDS[kind].row.__name__, type(row).__name__
        raise _wrong(f"got {generator.name!r}, which gives {place} as {actual}; {kind} needs {needed}")


def _wrong_kind(kind: str, name: str, actual: str) -> InputError:
    return InputError([Problem("kind", f"got {kind}; {name} makes rows for {actual}")])


def _wrong(message: str) -> InputError:
    return InputError([Problem("generated.generator", message)])
