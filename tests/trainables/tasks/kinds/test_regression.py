"""Correlations against NumPy's own and ranks by hand, and what stands where none is defined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainables.tasks.kinds.tokens import task
from trainables.errors import Problem
from trainables.tasks.kinds.regression import Regression, RegressionRow

KIND = Regression()


def rows(*labels: float) -> list[RegressionRow]:
    return [RegressionRow(("a",), label) for label in labels]


def ranks(values: list[float]) -> list[float]:
    """The place of each value in their order, from 0; equal ones share the mean of their places."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2 for value in values
    ]


# Of eighths up to 5, as STS-B's labels are; no two are so near that their difference vanishes.
NUMBERS = st.integers(0, 40).map(lambda eighth: eighth / 8)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=12))
def test_pearson_and_spearman_are_those_of_numpy(pairs: list[tuple[float, float]]) -> None:
    labels, predicted = [one for one, _ in pairs], [other for _, other in pairs]
    found = KIND.score(rows(*labels), predicted)
    if len(set(labels)) == 1 or len(set(predicted)) == 1:
        assert found == {"pearson": 0.0, "spearman": 0.0}
        return
    assert found["pearson"] == pytest.approx(np.corrcoef(labels, predicted)[0, 1], abs=1e-9)
    assert found["spearman"] == pytest.approx(np.corrcoef(ranks(labels), ranks(predicted))[0, 1], abs=1e-9)


def test_a_curve_is_in_order_but_no_line() -> None:
    found = KIND.score(rows(0, 1, 2, 3), [0.0, 1.0, 8.0, 27.0])
    assert found["spearman"] == pytest.approx(1)
    assert found["pearson"] == pytest.approx(np.corrcoef([0, 1, 2, 3], [0, 1, 8, 27])[0, 1])
    assert found["pearson"] < 0.93


@pytest.mark.parametrize(
    ("labels", "predicted"), [([1.0, 2.0, 3.0], [0.1] * 3), ([2.0, 2.0], [1.0, 3.0]), ([1.0], [5.0])]
)
def test_what_tells_nothing_apart_has_the_correlation_0(
    labels: list[float], predicted: list[float], recwarn: pytest.WarningsRecorder
) -> None:
    assert KIND.score(rows(*labels), predicted) == {"pearson": 0.0, "spearman": 0.0} == KIND.chance(rows(*labels))
    assert not recwarn.list


@pytest.mark.parametrize(
    ("label", "fault"),
    [(1, None), (0.5, None), (float("nan"), "the label nan; expected a finite number"), (True, "the label True; ")],
)
def test_a_label_of_a_generator_is_a_finite_number(label: Any, fault: str | None) -> None:
    said = KIND.fault(RegressionRow(("a",), label), ())
    assert said is None if fault is None else str(said).startswith(fault)


def test_a_regression_has_no_classes() -> None:
    assert KIND.check(task("regression", classes=["low", "high"])) == [
        Problem("classes", "got low, high; a regression has none: leave them out")
    ]
    assert KIND.check(task("regression", text=None)) == [
        Problem("text", "got null; regression needs one field or a pair")
    ]
