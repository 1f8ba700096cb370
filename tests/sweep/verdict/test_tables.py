"""Paired tables from tidy results: what is paired, what is left out and said, what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from sweep.verdict.tables import Block, paired_tables
from trainables.errors import InputError

BLOCK = Block("bert", "sst2", "lr=2e-4", "random")


def results(scores: dict[str, Sequence[float | None]], block: Block = BLOCK) -> pd.DataFrame:
    """One row per strategy and seed; the seeds count from 0."""
    return pd.DataFrame(
        [
            {**block._asdict(), "strategy": strategy, "seed": seed, "test": score}
            for strategy, column in scores.items()
            for seed, score in enumerate(column)
        ]
    )


def test_a_table_per_block_with_one_row_per_seed() -> None:
    other = BLOCK._replace(init="teacher")
    both = pd.concat([results({"none": [0.5, 0.6], "forward": [0.7, 0.9]}), results({"none": [0.1]}, other)])
    first, second = paired_tables(both.sample(frac=1, random_state=0).sort_values("init", kind="stable"), "test")
    assert (first.block, second.block) == (BLOCK, other)
    assert first.seeds == (0, 1)
    assert dict(zip(first.strategies, first.scores_SK.T.tolist(), strict=True)) == {
        "none": [0.5, 0.6],
        "forward": [0.7, 0.9],
    }
    assert first.matching == ("forward",)
    assert first.of("forward").tolist() == [0.7, 0.9]
    assert first.notes == ()
    assert second.scores_SK.tolist() == [[0.1]]


def test_unequal_seeds() -> None:
    (table,) = paired_tables(results({"none": [1, 2, 3, 4], "forward": [5, 6], "reverse": [7, 8, 9]}), "test")
    assert table.seeds == (0, 1)
    assert table.scores_SK.tolist() == [[1, 5, 7], [2, 6, 8]]
    assert table.notes == ("Seeds 2 and 3 are left out, since forward and reverse lack a score.",)


def test_a_score_that_is_not_finite_is_missing() -> None:
    scores = {"none": [1, 2, 3], "forward": [5, np.nan, 6], "reverse": [np.inf, None, np.nan]}
    (table,) = paired_tables(results(scores), "test")
    assert table.strategies == ("none", "forward")
    assert table.scores_SK.tolist() == [[1, 5], [3, 6]]
    assert table.notes == ("reverse has no score.", "Seed 1 is left out, since forward lacks a score.")


def test_many_seeds_that_are_left_out_are_counted() -> None:
    (table,) = paired_tables(results({"none": [1] * 6, "forward": [2]}), "test")
    assert table.notes == ("5 seeds are left out, since forward lacks a score.",)


def test_without_any_score_a_table_is_empty() -> None:
    (table,) = paired_tables(results({"none": [None], "forward": [np.nan]}), "test")
    assert (table.strategies, table.seeds, table.scores_SK.shape) == ((), (), (0, 0))


def test_a_cell_twice() -> None:
    twice = pd.concat([results({"none": [0.5]}), results({"none": [0.6]})])
    with pytest.raises(InputError) as caught:
        paired_tables(twice, "test")
    assert str(caught.value) == (
        "results: got two rows of one cell (model=bert, task=sst2, axes=lr=2e-4, init=random, strategy=none, seed=0); "
        "expected one"
    )


def test_a_missing_column() -> None:
    with pytest.raises(InputError) as caught:
        paired_tables(results({"none": [0.5]}).drop(columns=["seed", "init"]), "test")
    assert str(caught.value) == "results: got a table without init and seed; each row needs one per column"


def test_a_part_of_the_strategies() -> None:
    (table,) = paired_tables(results({"none": [1, 2], "forward": [3, 4], "reverse": [5, 6]}), "test")
    part = table.only(["reverse", "forward"])
    assert part.strategies == ("reverse", "forward")
    assert part.scores_SK.tolist() == [[5, 3], [6, 4]]
