"""A task of one's own: which of two numbers is greater.

`generate` takes the seed and the sizes that the config gives under `generated` to the rows of three splits. It has to
give the same rows on every machine, and no row twice: all it draws comes from the seed.
"""

from trainables.config import Generated
from trainables.plugins import register
from trainables.seeds import generator
from trainables.tasks.generators import Generator
from trainables.tasks.kinds.classification import ClassificationRow
from trainables.tasks.rows import SPLITS, Row

CLASSES = ("less", "equal", "greater")
MOST = 9999


def generate(config: Generated) -> dict[str, list[Row]]:
    """Pairs of numbers with as many of each class as can be; no pair is in two splits."""
    rng = generator(config.seed, "comparison")
    seen: set[tuple[int, int]] = set()
    splits: dict[str, list[Row]] = {}
    for split in SPLITS:
        rows: list[Row] = []
        while len(rows) < getattr(config, split):
            label = len(rows) % len(CLASSES)
            low, high = sorted(int(rng.random() * (MOST + 1)) for _ in range(2))
            pair = ((low, high), (low, low), (high, low))[label]
            if pair in seen or (label != 1 and low == high):
                continue
            seen.add(pair)
            rows.append(ClassificationRow((str(pair[0]), str(pair[1])), label))
        splits[split] = rows
    return splits


register(Generator("comparison", generate, CLASSES))
