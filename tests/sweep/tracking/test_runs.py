"""What a run shows of a cell before it starts."""

from __future__ import annotations

from sweep.tracking.runs import RunSpec
from tests.sweep.tracked import make_cell


def test_a_strategy_has_one_param_whatever_its_parameters() -> None:
    """The parallel coordinates of MLflow leave out a run that lacks one of the params."""
    strategies = ["none", {"kind": "all_to_one", "teacher_state": 6}]
    runs = [RunSpec.of_cell(make_cell(strategy=strategy), "a label", "parent", {}) for strategy in strategies]
    assert [run.params["strategy"] for run in runs] == ["none", "all_to_one(teacher_state=6)"]


def test_a_candidate_is_a_cell_under_a_kind_of_its_own() -> None:
    run = RunSpec.of_cell(make_cell(), "a label", "parent", {}, is_candidate=True)
    assert (run.kind, run.shown_kind) == ("cell", "candidate")
    assert RunSpec.of_cell(make_cell(), "a label", "parent", {}).shown_kind == "cell"
