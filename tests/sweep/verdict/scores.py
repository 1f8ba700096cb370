"""Scores made for the tests of verdicts: each seed moves all strategies, and each cell has noise of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sweep.verdict.tables import Block, Floats, PairedTable

BLOCK = Block("bert", "sst2", "", "random")
TEACHER, CHANCE = 0.9, 0.5


def exact(effects: Mapping[str, float], num_seeds: int, sd: float, seed: int = 0) -> PairedTable:
    """A table whose strategies have exactly these means, and residuals of about this standard deviation."""
    drawn = np.random.default_rng(seed).normal(0, sd, (num_seeds, len(effects)))
    noise = drawn - drawn.mean(axis=0)
    return PairedTable(BLOCK, tuple(effects), tuple(range(num_seeds)), noise + np.array(list(effects.values())))


def drawn(
    random: np.random.Generator, effects: Mapping[str, float], num_seeds: int, sd: float, seed_sd: float = 0.05
) -> Floats:
    """Scores with these true means: [S, K]. Seeds move all strategies alike."""
    seeds = random.normal(0, seed_sd, (num_seeds, 1))
    return seeds + np.array(list(effects.values())) + random.normal(0, sd, (num_seeds, len(effects)))


def results_of(table: PairedTable, metric: str = "accuracy", teacher: float = TEACHER) -> pd.DataFrame:
    """The tidy results that give this table."""
    return pd.DataFrame(
        [
            {
                **table.block._asdict(),
                "strategy": strategy,
                "seed": seed,
                "status": "done",
                "main_metric": metric,
                "test": score,
                "teacher_test": teacher,
                "chance": CHANCE,
                "share_of_teacher": (score - CHANCE) / (teacher - CHANCE),
            }
            for seed, row in zip(table.seeds, table.scores_SK, strict=True)
            for strategy, score in zip(table.strategies, row, strict=True)
        ]
    )
