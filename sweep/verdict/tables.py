"""Paired tables, seed × strategy, one for each comparison of a sweep.

S seeds, K strategies. A block is one model on one task at one value of every further axis and one init: what a
comparison of strategies holds fixed. A mean over seeds alone loses the pairing, so every test starts from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainables.errors import InputError, Problem
from trainables.wording import listed

Floats = NDArray[np.float64]
NO_MATCHING = "none"
CELL = ("strategy", "seed")
FEW = 4
"""So many seeds are named one by one."""


class Block(NamedTuple):
    """What the cells of one comparison share; `axes` is the text of the further axes, `lr=2e-4 · hidden=3`."""

    model: str
    task: str
    axes: str
    init: str


@dataclass(frozen=True)
class PairedTable:
    """The scores of one block at the seeds that all of its strategies have."""

    block: Block
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    scores_SK: Floats
    notes: tuple[str, ...] = ()
    """What was left out, one sentence each."""

    @property
    def matching(self) -> tuple[str, ...]:
        """The strategies but `none`."""
        return tuple(name for name in self.strategies if name != NO_MATCHING)

    def of(self, strategy: str) -> Floats:
        """The scores of a strategy: [S]."""
        return self.scores_SK[:, self.strategies.index(strategy)]

    def only(self, strategies: Sequence[str]) -> PairedTable:
        """The same table with these strategies alone."""
        columns = [self.strategies.index(name) for name in strategies]
        return replace(self, strategies=tuple(strategies), scores_SK=self.scores_SK[:, columns])

    def first(self, num_seeds: int) -> PairedTable:
        """The same table with the seeds below this number alone."""
        num = sum(seed < num_seeds for seed in self.seeds)
        return replace(self, seeds=self.seeds[:num], scores_SK=self.scores_SK[:num])


def paired_tables(results: pd.DataFrame, score: str) -> list[PairedTable]:
    """The table of each block, in the order of the rows; `score` names the column with the scores.

    The other columns are those of `Block`, `strategy` and `seed`, one row per cell. A score that is missing or not
    finite counts as missing. A strategy without any score is left out; of the others only the seeds that all of them
    have are kept; both is said in the notes. Raises InputError where a column is missing or a cell comes twice.
    """
    missing = [name for name in (*Block._fields, *CELL, score) if name not in results.columns]
    if missing:
        raise InputError([Problem("results", f"got a table without {listed(missing)}; each row needs one per column")])
    keys = [*Block._fields, *CELL]
    twice = results[results.duplicated(keys)]
    if len(twice):
        cell = ", ".join(f"{key}={twice.iloc[0][key]}" for key in keys if twice.iloc[0][key] != "")
        raise InputError([Problem("results", f"got two rows of one cell ({cell}); expected one")])
    groups = results.groupby(list(Block._fields), sort=False)
    return [_table(Block(*map(str, key)), rows, score) for key, rows in groups]


def _table(block: Block, rows: pd.DataFrame, score: str) -> PairedTable:
    """The table of the rows of one block."""
    strategies = list(dict.fromkeys(rows["strategy"]))
    wide = rows.pivot(index="seed", columns="strategy", values=score).astype(float).sort_index()[strategies]
    wide = wide.where(np.isfinite(wide))
    absent = [name for name in strategies if wide[name].isna().all()]
    notes = [f"{name} has no score." for name in absent]
    wide = wide.drop(columns=absent).dropna(how="all")
    whole = wide.dropna()
    if len(whole) < len(wide):
        lost = [str(seed) for seed in wide.index.difference(whole.index)]
        lacking = [str(name) for name in wide.columns if wide[name].isna().any()]
        notes.append(f"{_seeds(lost)} left out, since {listed(lacking)} {_verb(lacking, 'lacks', 'lack')} a score.")
    return PairedTable(
        block,
        tuple(map(str, whole.columns)),
        tuple(int(seed) for seed in whole.index),
        whole.to_numpy(dtype=np.float64),
        tuple(notes),
    )


def _seeds(seeds: list[str]) -> str:
    """`Seed 3 is`, `Seeds 3 and 4 are`, `7 seeds are`"""
    if len(seeds) == 1:
        return f"Seed {seeds[0]} is"
    return f"Seeds {listed(seeds)} are" if len(seeds) <= FEW else f"{len(seeds)} seeds are"


def _verb(subjects: Sequence[str], singular: str, plural: str) -> str:
    return singular if len(subjects) == 1 else plural
