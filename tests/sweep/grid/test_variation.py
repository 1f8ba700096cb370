"""What tells the cells of a sweep apart, and how their labels show it."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.grid.variation import cell_labels, short_labels, teacher_labels, varied_fields
from sweep.spec.sweep import SweepConfig
from tests.sweep.grids import expand
from tests.sweep.tracked import make_cell
from trainables.config import TrialConfig

MODEL = {"name": "bert", "family": "bert", "teacher": "org/name", "finetune": {"epochs": 1}}
BASE: dict[str, Any] = {"model": MODEL, "task": "natural-logic", "dtype": "fp32"}


def grid(**axes: list[Any]) -> list[TrialConfig]:
    given = {key.replace("__", "."): values for key, values in axes.items()}
    base = {key: value for key, value in BASE.items() if key not in given}
    return expand(SweepConfig.model_validate({"name": "x", "base": base, "axes": given}))


def cells(configs: list[TrialConfig]) -> list[str]:
    shown = cell_labels({str(number): config for number, config in enumerate(configs)})
    return [*shown.values()]


def made(**fields: Any) -> TrialConfig:
    return make_cell(**fields).config


def test_fields_that_tell_cells_of_one_model_and_task_apart() -> None:
    assert varied_fields([made(train={"learning_rate": rate}) for rate in (1e-4, 2e-4)]) == ["train.learning_rate"]
    named = [made(seed=seed, init="random", strategy=name) for seed in (0, 1) for name in ("none", "reverse")]
    assert varied_fields(named) == []
    two_models = [made(model={"name": name, "student_blocks": blocks}) for name, blocks in (("a", 3), ("b", 6))]
    assert varied_fields(two_models) == []
    deeper = [made(model={"student_blocks": blocks}) for blocks in (3, 6)]
    assert varied_fields([*two_models, *deeper]) == ["model.student_blocks"]


@pytest.mark.parametrize(
    "axes",
    [
        ["losses.kl", "train.learning_rate", "dtype"],
        ["dtype", "losses.kl", "train.learning_rate"],
        ["train.learning_rate", "seed", "losses.kl", "strategy", "dtype"],
    ],
)
def test_varied_fields_are_in_the_order_of_the_axes(axes: list[str]) -> None:
    values: dict[str, list[Any]] = {
        "losses.kl": [1, 2],
        "train.learning_rate": [1e-5, 2e-5, 3e-5],
        "dtype": ["fp32", "bf16"],
        "seed": [0, 1],
        "strategy": ["forward", "reverse"],
    }
    found = varied_fields(grid(**{key: values[key] for key in axes}))
    assert found == [key for key in axes if key not in ("seed", "strategy")]


def test_a_label_shows_what_varies_and_nothing_else() -> None:
    assert cells([made(strategy="reverse", init="random", seed=7)]) == ["bert · reverse · random · s7"]
    assert cells(
        grid(seed=[1], train__learning_rate=[2e-4, 1e-3], losses__kl=[1, 0.5], model__student_blocks=[12])
    ) == [
        "bert · forward · teacher · s1 · lr=2e-4 · kl=1",
        "bert · forward · teacher · s1 · lr=2e-4 · kl=0.5",
        "bert · forward · teacher · s1 · lr=1e-3 · kl=1",
        "bert · forward · teacher · s1 · lr=1e-3 · kl=0.5",
    ]
    assert cells(grid(task=["natural-logic", "localisation"])) == [
        "bert · natural-logic · forward · teacher · s0",
        "bert · localisation · forward · teacher · s0",
    ]


def test_names_and_values_in_a_label_are_short_and_tell_apart() -> None:
    both = grid(train__learning_rate=[1e-5, 2e-5], model__finetune__learning_rate=[1e-5, 2e-5])
    assert cells(both)[1] == "bert · forward · teacher · s0 · train.lr=1e-5 · finetune.lr=2e-5"
    folders = [{**MODEL, "teacher": f"/data/{name}"} for name in ("first", "a-name-that-is-longer-than-a-line-may-be")]
    assert cells(grid(model=folders)) == [
        "bert · forward · teacher · s0 · teacher=first",
        "bert · forward · teacher · s0 · teacher=a-name-that-is-longer-t…",
    ]


def test_short_labels_say_only_what_tells_cells_apart() -> None:
    def words(configs: list[TrialConfig]) -> list[str]:
        return [*short_labels({str(number): config for number, config in enumerate(configs)}).values()]

    assert words(grid(strategy=["forward", "reverse"], train__learning_rate=[1e-3])) == [
        "forward · teacher",
        "reverse · teacher",
    ]
    assert words(grid(train__learning_rate=[2e-4, 1e-3])) == [
        "forward · teacher · lr=2e-4",
        "forward · teacher · lr=1e-3",
    ]
    assert words(grid(task=["natural-logic", "localisation"], seed=[0, 1]))[:2] == [
        "natural-logic · forward · teacher · s0",
        "natural-logic · forward · teacher · s1",
    ]
    assert words([made(model={"name": name}) for name in ("a", "b")]) == [
        "a · forward · teacher",
        "b · forward · teacher",
    ]


def test_an_axis_without_effect_is_not_in_a_label() -> None:
    assert cells(grid(strategy=["none", "forward"], losses__hidden=[1, 3])) == [
        "bert · none · teacher · s0",
        "bert · forward · teacher · s0 · hidden=1",
        "bert · forward · teacher · s0 · hidden=3",
    ]


def test_teachers_show_how_they_are_made() -> None:
    configs = grid(model__finetune__epochs=[1, 3], train__epochs=[1, 2])
    assert [*teacher_labels(dict(enumerate(configs[::2]))).values()] == [  # type: ignore[arg-type]
        "bert · teacher · natural-logic · epochs=1",
        "bert · teacher · natural-logic · epochs=3",
    ]
