"""The classes of a task with labels, and the class of a label in the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from trainables.tasks.fields import Fields, brief
from trainables.tasks.findings import Findings
from trainables.tasks.tables import Table

if TYPE_CHECKING:
    from trainables.config import TaskConfig


def training_classes(task: TaskConfig, train: Table, values: Sequence[Any], findings: Findings) -> tuple[str, ...]:
    """The classes that the config names, else those among `values`, the labels of the training split.

    Empty where neither gives any.
    """
    if task.classes:
        return tuple(task.classes)
    labels = [value for value in values if is_label(value)]
    if not labels or findings.about(train.field):
        return ()  # the table or field is missing or incomplete, which is reported elsewhere
    try:
        return find_classes(labels)
    except ValueError as error:
        if len(labels) == len(values):  # else a row has a wrong label, which is reported elsewhere
            findings.add("label", repr(task.label), str(error), train.path)
        return ()


def read_label(value: Any, task: TaskConfig, record: Fields, classes: Sequence[str]) -> int:
    """The index of the class of a record's label; 0, after recording a finding, where there is no such class."""
    name = task.label
    if not is_label(value):
        record.wrong("label", name, "an integer or text is needed", brief(value))
        return 0
    index = class_of(value, classes)
    if index is None and value == -1 and task.hub:
        record.wrong("label", name, "-1 stands for no label; in splits, give a split with labels", brief(value))
    elif index is None and classes:
        record.wrong("label", name, f"the classes are {', '.join(classes)}", brief(value))
    return index or 0


def is_label(value: Any) -> TypeGuard[str | int]:
    """Whether a value may be a label."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def find_classes(labels: Sequence[str | int]) -> tuple[str, ...]:
    """The classes of a training split: the numbers 0 to C - 1, or names in alphabetical order.

    Raises ValueError where there are fewer than two classes, or the numbers have gaps.
    """
    names = {str(label) for label in labels}
    if len(names) < 2:
        raise ValueError(f"two classes or more are needed; the training split has {', '.join(names) or 'none'}")
    numbers = [str(number) for number in range(len(names))]
    if names == set(numbers):
        return tuple(numbers)
    if any(isinstance(label, int) for label in labels):
        raise ValueError(f"numbers from 0 without a gap are needed, or classes; the training split has {_few(names)}")
    return tuple(sorted(names))


def class_of(label: str | int, classes: Sequence[str]) -> int | None:
    """The index of a label's class; None where there is none.

    A label is the name of a class or, unless some class name is itself a number, the index of a class.
    """
    name = str(label)
    if name in classes:
        return classes.index(name)
    if not _is_number(name) or any(map(_is_number, classes)):
        return None
    return int(name) if 0 <= int(name) < len(classes) else None


def _is_number(name: str) -> bool:
    return name.isascii() and name.removeprefix("-").isdecimal()


def _few(names: set[str]) -> str:
    shown = sorted(names, key=lambda name: (len(name), name))
    return ", ".join(shown[:5]) + (", …" if len(shown) > 5 else "")
