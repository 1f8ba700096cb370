"""All comparisons of a sweep as one table, on the share of the way from chance to the teacher.

Raw scores are never pooled: a point of BLEU and a point of accuracy have no common size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sweep.verdict.tables import Block, PairedTable

WHOLE = Block("", "", "", "")


def whole_table(tables: Sequence[PairedTable]) -> PairedTable | None:
    """The mean over the blocks at each seed that all of them have; None for fewer than two blocks.

    A block without a common seed is left out, and so is a strategy that one of the blocks lacks; both are said. The
    unit of every test is the seed: blocks at one seed may share a data order or a start, and are not independent.
    What is tested is then the mean over just these blocks.
    """
    used = [each for each in tables if each.seeds and len(each.strategies) > 1]
    if len(used) < 2:
        return None
    first, *others = used
    strategies = [name for name in first.strategies if all(name in each.strategies for each in others)]
    seeds = [seed for seed in first.seeds if all(seed in each.seeds for each in others)]
    lost = dict.fromkeys(name for each in used for name in each.strategies if name not in strategies)
    notes = [f"{name} is left out, since not every comparison has it." for name in lost]
    if num_lost := len(tables) - len(used):
        notes.append(f"{num_lost} of {len(tables)} comparisons have no seed with two strategies, and are left out.")
    if num_seeds := len({seed for each in used for seed in each.seeds} - set(seeds)):
        notes.append(f"Of the seeds {num_seeds} {'is' if num_seeds == 1 else 'are'} left out, since not all have them.")
    parts = [each.only(strategies).scores_SK[[each.seeds.index(seed) for seed in seeds]] for each in used]
    scores_SK = np.mean(parts, axis=0) if strategies else np.empty((len(seeds), 0))
    return PairedTable(WHOLE, tuple(strategies), tuple(seeds), scores_SK, tuple(notes))
