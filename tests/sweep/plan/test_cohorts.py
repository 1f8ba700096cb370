"""How cells are divided into cohorts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.grid.cells import Cell
from sweep.plan.cohorts import Cohort, Cohorts, Cost
from tests.sweep.tracked import make_cell
from trainables.sharing import cohort_key


def cells(number: int, first: int = 0, **fields: Any) -> list[Cell]:
    return [make_cell(f"{first + index:02}", **fields) for index in range(number)]


def sizes(cohorts: Sequence[Cohort]) -> list[int]:
    return [len(cohort) for cohort in cohorts]


@pytest.mark.parametrize(
    ("number", "num_at_once", "expected"),
    [(10, 1, [10]), (10, 2, [5, 5]), (10, 3, [4, 3, 3]), (10, 20, [1] * 10), (1, 2, [1]), (0, 2, [])],
)
def test_cells_of_one_pool_occupy_all_workers(number: int, num_at_once: int, expected: list[int]) -> None:
    assert sizes(Cohorts({}).divide(cells(number), {}, num_at_once, "auto")) == expected


def test_several_pools_occupy_all_workers() -> None:
    seeds = [cell for seed in range(3) for cell in cells(10, 10 * seed, seed=seed)]
    division = Cohorts({}).divide(seeds, {}, 2, "auto")
    assert sizes(division) == [5] * 6  # three of ten would leave a worker without work for a third of the time
    assert sizes(Cohorts({}).divide(seeds, {}, 3, "auto")) == [10] * 3


def test_a_number_is_the_most_cells_of_a_cohort() -> None:
    assert sizes(Cohorts({}).divide(cells(10), {}, 1, 4)) == [4, 3, 3]
    assert sizes(Cohorts({}).divide(cells(3), {}, 2, 1)) == [1, 1, 1]


def test_cheap_cells_beside_an_expensive_one_are_no_larger_cohort() -> None:
    costs = {"00": Cost(9, 1), "01": Cost(1, 1), "02": Cost(1, 1), "03": Cost(1, 1)}
    assert sizes(Cohorts(costs).divide(cells(4), {}, 1, 2)) == [2, 2]


def test_cohorts_fit_the_memory() -> None:
    cohorts = Cohorts({}, fits=lambda cohort: len(cohort) <= 3)
    assert sizes(cohorts.divide(cells(10), {}, 1, "auto")) == [3, 3, 2, 2]
    assert sizes(cohorts.divide(cells(10), {}, 1, 5)) == [3, 3, 2, 2]
    nothing_fits = Cohorts({}, fits=lambda cohort: False)
    assert sizes(nothing_fits.divide(cells(3), {}, 1, "auto")) == [1, 1, 1]


def test_cells_at_different_steps_are_apart() -> None:
    division = Cohorts({}).divide(cells(4), {"01": 40, "03": 40}, 1, "auto")
    assert [[cell.fingerprint for cell in cohort] for cohort in division] == [["00", "02"], ["01", "03"]]


def test_expensive_cells_are_spread_and_expensive_cohorts_are_first() -> None:
    costs = {"00": Cost(8, 1), "01": Cost(8, 1), "02": Cost(4, 1), "03": Cost(4, 1), "04": Cost(2, 1)}
    cohorts = Cohorts(costs)
    division = cohorts.divide(cells(5), {}, 2, 3)
    assert [[cell.fingerprint for cell in cohort] for cohort in division] == [["00", "02", "04"], ["01", "03"]]
    assert [cohorts.cost(cohort) for cohort in division] == [15, 13]


@given(
    data=st.data(),
    num_at_once=st.integers(1, 6),
    size=st.one_of(st.just("auto"), st.integers(1, 7)),
    most=st.integers(1, 5),
)
def test_every_cell_is_in_one_cohort_with_its_equals(
    data: st.DataObject, num_at_once: int, size: Any, most: int
) -> None:
    kinds = [*product((0, 1), ("t1", "t2"))]
    chosen = data.draw(st.lists(st.tuples(st.sampled_from(kinds), st.floats(0.1, 9)), max_size=20))
    pool = [make_cell(f"{index:02}", teacher=teacher, seed=seed) for index, ((seed, teacher), _) in enumerate(chosen)]
    costs = {cell.fingerprint: Cost(own, own / 3) for cell, (_, own) in zip(pool, chosen, strict=True)}
    division = Cohorts(costs, fits=lambda cohort: len(cohort) <= most).divide(pool, {}, num_at_once, size)
    assert Counter(cell.fingerprint for cohort in division for cell in cohort) == Counter(costs.keys())
    for cohort in division:
        assert len({(cell.teacher_hash, cohort_key(cell.config)) for cell in cohort}) == 1
        assert len(cohort) <= (most if size == "auto" else min(most, size))
