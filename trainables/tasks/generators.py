"""Tasks made on the spot: the generators by name, and what a generator is.

A built-in generator is a module with `CLASSES` and `generate`; one of a plug-in is a `Generator`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from trainables.errors import InputError, Problem
from trainables.tasks.rows import SPLITS, ClassificationRow, Data, Row

if TYPE_CHECKING:
    from trainables.config import Generated

Generate = Callable[["Generated"], Mapping[str, list[Row]]]
"""Takes seed and sizes to the rows of `train`, `validation` and `test`: the same on every machine."""

BUILT_IN = ("natural_logic", "localisation")


@dataclass(frozen=True)
class Generator:
    """A generator of one's own; `classes` is empty for a task without them."""

    name: str
    generate: Generate
    classes: tuple[str, ...] = ()


GENERATORS: dict[str, Generator] = {}
"""The generators of plug-ins."""


def generated(config: Generated) -> Data:
    """The data of a generator. Raises InputError for one that is not known, or whose rows are no data."""
    name = config.generator
    if name in BUILT_IN:  # imported when asked for: babel takes a second
        module = import_module(f"trainables.tasks.{name}")
        return Data.of(module.generate(config), module.CLASSES)
    if name not in GENERATORS:
        raise _wrong(f"got {name!r}; one of {', '.join([*BUILT_IN, *GENERATORS])}")
    generator = GENERATORS[name]
    splits = {split: list(rows) for split, rows in generator.generate(config).items()}
    for split in SPLITS:
        if not splits.get(split):
            raise _wrong(f"got {name!r}, which gives no rows for {split}")
        _check_labels(generator, split, splits[split])
    return Data.of(splits, generator.classes)


def _check_labels(generator: Generator, split: str, rows: Sequence[Row]) -> None:
    for number, row in enumerate(rows, start=1):
        if isinstance(row, ClassificationRow) and not 0 <= row.label < len(generator.classes):
            place = f"row {number} of {split}"
            raise _wrong(
                f"got {generator.name!r}, which gives {place} the label {row.label}; "
                f"it has {len(generator.classes)} classes"
            )


def _wrong(message: str) -> InputError:
    return InputError([Problem("generated.generator", message)])
