"""The margin of a table: from the config, from the gain of forward, or none with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.verdict.margin import margin_of
from sweep.verdict.tables import Block, PairedTable


def table(**scores: list[float]) -> PairedTable:
    columns = np.array(list(scores.values())).T
    return PairedTable(Block("bert", "sst2", "", "random"), tuple(scores), tuple(range(len(columns))), columns)


def test_the_margin_of_the_config() -> None:
    found = margin_of(table(none=[0.5, 0.6], forward=[0.4, 0.5]), 0.01)
    assert (found.value, found.is_relative, found.reason) == (0.01, False, "")
    assert found.per_seed_S is not None
    assert found.per_seed_S.tolist() == [0.01, 0.01]


def test_a_third_of_the_gain_of_forward() -> None:
    found = margin_of(table(none=[0.5, 0.6], forward=[0.59, 0.63], reverse=[0, 1]), None)
    assert found.gain == pytest.approx(0.06)
    assert found.value == pytest.approx(0.02)
    assert found.per_seed_S == pytest.approx(np.array([0.03, 0.01]))


@pytest.mark.parametrize("forward", [[0.5, 0.6], [0.4, 0.6]])
def test_without_a_gain_there_is_none(forward: list[float]) -> None:
    found = margin_of(table(none=[0.5, 0.6], forward=forward), None)
    assert found.value is None
    assert found.reason == "forward gains nothing over none to take a third of; set verdict.margin"


def test_without_forward_or_none_there_is_none() -> None:
    assert margin_of(table(none=[0.5], reverse=[0.6]), None).reason == (
        "forward has no score, so that there is no gain to take a third of; set verdict.margin"
    )
    assert margin_of(table(reverse=[0.6]), None).reason.startswith("none and forward have no score")


def test_without_a_common_seed_there_is_none() -> None:
    empty = PairedTable(Block("bert", "sst2", "", "random"), ("none", "forward"), (), np.empty((0, 2)))
    assert margin_of(empty, 0.01).reason == "there is no seed that all strategies share"
