"""What a classifier takes for what: the counts of right and given classes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sweep.report.answers import Answer

MAX_CLASSES = 12
"""More classes than these make no readable matrix: their commonest confusions are listed instead."""
MAX_PAIRS = 10


@dataclass(frozen=True)
class Confusion:
    """The classes in the order of their number of rows, the largest first, and how often each was taken for each."""

    classes: tuple[str, ...]
    counts: Counter[tuple[str, str]]
    """Right class and given class -> number of rows."""

    @property
    def is_small(self) -> bool:
        return len(self.classes) <= MAX_CLASSES

    @property
    def pairs(self) -> list[tuple[str, str, int]]:
        """The commonest confusions: the right class, the class given instead, and the number of rows."""
        wrong = [(right, given, count) for (right, given), count in self.counts.items() if right != given]
        return sorted(wrong, key=lambda pair: -pair[2])[:MAX_PAIRS]


def confusion(answers: Sequence[Answer]) -> Confusion | None:
    """Counts the answers; None where they do not say what would be right."""
    pairs = [(each.reference, str(each.prediction)) for each in answers if each.reference is not None]
    if not pairs:
        return None
    sizes = Counter(right for right, _ in pairs)
    classes = [name for name, _ in sizes.most_common()]
    return Confusion(tuple(dict.fromkeys([*classes, *(given for _, given in pairs)])), Counter(pairs))
