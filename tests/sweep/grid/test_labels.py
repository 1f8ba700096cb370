"""How cells are shown."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.grid.labels import cell_label, flatten, pairs, strategy_label, teacher_label
from tests.sweep.tracked import make_cell


@pytest.mark.parametrize(
    ("strategy", "label"),
    [
        ("random", "random"),
        ({"kind": "all_to_one"}, "all_to_one"),
        ({"kind": "all_to_one", "teacher_state": 0}, "all_to_one(teacher_state=0)"),
        ({"kind": "forward", "match_embeddings": False}, "forward(match_embeddings=false)"),
        ({"kind": "custom", "states": [1, 3]}, "custom(states=[1, 3])"),
    ],
)
def test_strategies_show_the_parameters_that_were_given(strategy: Any, label: str) -> None:
    assert strategy_label(make_cell(strategy=strategy).config.strategy) == label


def test_names() -> None:
    config = make_cell(strategy="reverse", init="random", seed=7).config
    assert cell_label(config) == "bert · natural-logic · reverse · random · s7"
    assert teacher_label(config) == "bert · teacher · natural-logic"


def test_flat_fields() -> None:
    assert flatten({"a": {"b": {"c": 1e-5}, "d": [1, "x"]}, "e": None, "f": "text", "g": {}, "h": True}) == {
        "a.b.c": "1e-05",
        "a.d": '[1, "x"]',
        "e": "null",
        "f": "text",
        "g": "{}",
        "h": "true",
    }


def test_pairs() -> None:
    assert pairs({"0": 0, "1": 4, "2": 12}) == "0:0 1:4 2:12"
