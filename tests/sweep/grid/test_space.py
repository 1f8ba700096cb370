"""The space of a search: what is refused, one exact line each, and configs with other values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sweep.grid.cells import draft
from sweep.grid.space import search_problems, with_values
from sweep.spec.schema import schema
from sweep.spec.search import is_searchable
from sweep.spec.sweep import load
from tests.sweep.own_data import refused, write_all
from trainables.config import Ramp, TrialConfig

RATE = {"low": 1e-5, "high": 1e-3, "log": True}
SHARED = "got a field that sets data, batches, teacher, steps or sizes, which all candidates share; make it an axis"

pytestmark = pytest.mark.usefixtures("only_given_places")


def searched(fields: dict[str, Any], **others: Any) -> str:
    """An override with a search of these fields."""
    return f"search={yaml.safe_dump({'fields': fields, **others}, default_flow_style=True, width=10_000).strip()}"


def lr(span: dict[str, Any]) -> str:
    return searched({"train.learning_rate": span})


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("search=3", "search: got 3; expected a mapping"),
        ("search={}", "search.fields: got {}; give at least one field to search"),
        (searched({"train.learning_rate": RATE}, candidates=0), "search.candidates: got 0; expected at least 1"),
        (searched({"train.learning_rate": RATE}, candidate=3),
         "search.candidate: got an unknown key; did you mean candidates?"),
        (searched({"train.learning_rate": RATE}, sampler="tpee"),
         "search.sampler: got 'tpee'; expected 'tpe', 'gp', 'random', 'qmc' or 'cmaes'"),
        (searched({"train.learning_rate": RATE}, seed=0),
         "search.seed: got 0, which is a seed of the sweep's cells; give another one, so that the choice is measured "
         "anew"),
        (lr({"low": 1e-3, "high": 1e-5}),
         "search.fields.train.learning_rate.low: got 0.001; expected less than high, which is 1e-05"),
        (lr({"low": 0, "high": 1, "log": True}),
         "search.fields.train.learning_rate.low: got 0 beside log: true; a logarithmic range begins above 0"),
        (lr({"low": 0.1, "high": 1, "log": True, "step": 0.1}),
         "search.fields.train.learning_rate.step: got 0.1 beside log: true; a logarithmic range has no steps"),
        (lr({"low": 0.1, "high": 1, "step": 2}),
         "search.fields.train.learning_rate.step: got 2; expected more than 0 and at most 0.9"),
        (lr({"low": 0.1}), "search.fields.train.learning_rate: got no high; give low and high, or choices"),
        (lr({}), "search.fields.train.learning_rate: got neither low and high nor choices; give low and high, or "
         "choices"),
        (lr({"low": "few", "high": 1}), "search.fields.train.learning_rate.low: got 'few'; expected a number"),
        (lr({"lowest": 1e-5, **RATE}),
         "search.fields.train.learning_rate.lowest: got an unknown key; did you mean low?"),
        (lr({"choices": [1e-3, 1e-4], "log": True}),
         "search.fields.train.learning_rate: got choices beside log; give choices, or low and high"),
        (lr({"choices": [1e-3]}),
         "search.fields.train.learning_rate.choices: got [0.001]; give at least two values"),
        (lr({"choices": [1e-3, 1e-3]}),
         "search.fields.train.learning_rate.choices[1]: got 0.001 again (first at [0]); give each value once"),
        (lr({"choices": [1e-3, -1]}), "search.fields.train.learning_rate.choices[1]: got -1; expected more than 0"),
        (lr({"low": 0, "high": 1}), "search.fields.train.learning_rate.low: got 0.0; expected more than 0"),
        (searched({"train.warmup_steps": {"low": 0.5, "high": 3}}),
         "search.fields.train.warmup_steps.low: got 0.5; expected a whole number"),
        (searched({"train.learning_rat": RATE}),
         "search.fields.train.learning_rat: got a path that is not a field; did you mean train.learning_rate?"),
        (searched({"train.epochs": {"low": 1, "high": 3}}), f"search.fields.train.epochs: {SHARED}"),
        (searched({"losses.semantics": {"choices": ["clean", "official"]}}),
         f"search.fields.losses.semantics: {SHARED}"),
        (searched({"seed": {"low": 1, "high": 3}}), f"search.fields.seed: {SHARED}"),
        (searched({"train.scale_parameter": {"choices": [False, True]}}),
         "search.fields.train.scale_parameter.choices[1]: got true beside optimizer adamw; only adafactor has it"),
        (searched({"train.optimizer": {"choices": ["adamw", "sgd"]}}),
         "search.fields.train.optimizer.choices[1]: got 'sgd'; expected 'adamw' or 'adafactor'"),
        (searched({"losses.ce": {"choices": [0, 1]}, "losses.kl": {"choices": [0, 1]}}),
         "search.fields.losses.ce: got 0 beside losses.kl: 0, which do not fit together: ce: got 0 beside kl: 0; the "
         "output layer needs one of them"),
        (searched({"model.lora.student.alpha": {"low": 8, "high": 64}}),
         "search.fields.model.lora.student.alpha.low: got 8.0; model.lora.student.r: got nothing; this key is needed"),
    ],
)  # fmt: skip
def test_a_search_that_is_wrong(tmp_path: Path, override: str, line: str) -> None:
    assert refused(write_all(tmp_path), override)[:1] == [line]


def test_all_problems_of_a_search_come_at_once(tmp_path: Path) -> None:
    fields = {"train.learning_rate": {"low": 2, "high": 1}, "train.lr": RATE, "losses.hidden": {"low": "x", "high": 1}}
    lines = refused(write_all(tmp_path), searched(fields, seed=0, sampler=3), "base.train.batch_size=0")
    assert [line.split(": ")[0] for line in lines] == [
        "search.fields.losses.hidden.low",
        "search.sampler",
        "base.train.batch_size",
        "search.fields.train.learning_rate.low",
        "search.fields.train.lr",
    ]


def test_a_field_that_is_an_axis_too(tmp_path: Path) -> None:
    path = write_all(tmp_path, axes={"train.learning_rate": [1e-3, 1e-4]})
    assert refused(path, lr(RATE)) == [
        "search.fields.train.learning_rate: got a field that axes.train.learning_rate sets too; give it in one of them"
    ]


@pytest.mark.parametrize(
    ("share", "line"),
    [
        ({"init": "both"}, "search.share.init: got 'both'; expected a value that axes.init has"),
        ({"strategy": "forward"},
         "search.share.strategy: got a path that is not an axis of every grid; give one of the axes"),
        ({"seed": 0},
         "search.share.seed: got an axis whose values differ in data, batches or teacher; these cannot be shared"),
    ],
)  # fmt: skip
def test_a_share_that_is_wrong(tmp_path: Path, share: dict[str, Any], line: str) -> None:
    path = write_all(tmp_path, axes={"init": ["random", "teacher"], "seed": [0, 1]})
    assert refused(path, searched({"train.learning_rate": RATE}, share=share)) == [line]


def test_a_choice_that_the_model_refuses(tmp_path: Path) -> None:
    override = searched({"losses.distance": {"choices": ["mse", "cka"]}})
    line = refused(write_all(tmp_path), override, "base.losses.semantics=official")[0]
    assert line.startswith("search.fields.losses.distance.choices[1]: got 'cka'; base.losses.distance: ")


def test_an_override_of_one_end(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    search = load(
        path, [lr(RATE), "search.fields.train.learning_rate.high=0.5", "search.fields.losses.kl={choices: [1, 2]}"]
    )
    assert search.search is not None
    assert search.search.fields["train.learning_rate"].high == 0.5
    assert search.search.fields["losses.kl"].choices == [1, 2]


def test_values_are_set_and_checked(tmp_path: Path) -> None:
    config = TrialConfig.model_validate({"model": "tiny-bert", "task": "natural-logic", "dtype": "fp32"})
    ramp = {"from": 3, "to": 0, "until": 0.5}
    changed = with_values(config, {"train.learning_rate": 0.5, "losses.hidden": ramp, "losses.kl": 2})
    assert (changed.train.learning_rate, changed.losses.kl) == (0.5, 2.0)
    assert changed.losses.hidden == Ramp.model_validate(ramp)
    assert with_values(changed, {"losses.ce": 4}).losses.hidden == changed.losses.hidden
    assert changed.model == config.model
    assert with_values(changed, {"train.learning_rate": config.train.learning_rate}).train == config.train


def test_the_demo_has_no_problem_with_a_search_of_every_field() -> None:
    fields = {
        "train.learning_rate": RATE,
        "train.warmup_steps": {"low": 0, "high": 20, "step": 10},
        "train.weight_decay": {"low": 0, "high": 0.1},
        "losses.hidden": {"choices": [0, 1, {"from": 3, "to": 0}]},
        "losses.distance": {"choices": ["mse", {"kind": "cosine"}]},
        "model.projection.bias": {"choices": [True, False]},
    }
    config = load(None, [searched(fields)])
    assert config.search is not None
    assert all(map(is_searchable, fields))
    assert search_problems(config.search, draft(config)[0]) == []


def test_the_schema_describes_a_search() -> None:
    definitions = schema()["$defs"]
    assert set(definitions["Search"]["properties"]) == {
        "fields",
        "candidates",
        "at_once",
        "sampler",
        "seed",
        "share",
        "studies",
    }
    assert all("description" in field for field in definitions["Span"]["properties"].values())
