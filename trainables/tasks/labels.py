"""The classes of a classification task, and the class that a label in the data stands for."""

from __future__ import annotations

from collections.abc import Sequence


def find_classes(labels: Sequence[str | int]) -> tuple[str, ...]:
    """The classes of a training split: 0 to C - 1 in order of number, or names in order of the alphabet.

    Raises ValueError with what would be right where there are fewer than two, or numbers have gaps.
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
    """The index of a label; None: no class.

    A class by its name. A number by the classes' order too, but where a name is a number: there 0 may not mean 1.
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
