"""The cells of the baselines: which there are, what they are called, and what the others keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweep.grid.cells import Cell
from sweep.grid.labels import strategy_label
from sweep.plan.checks import prepare
from sweep.plan.operations import DISTANCE, PROJECTION, step_operations, student_size, teacher_size
from sweep.plan.states import Plan
from sweep.records.archive import Sweep
from sweep.records.records import Records
from sweep.records.storage import Storage
from sweep.report import results, summary
from sweep.report.evidence import gather
from sweep.report.proof import proof
from sweep.search.groups import groups
from sweep.spec.verdict import VerdictSettings
from sweep.tracking import tags
from sweep.tracking.runs import RunSpec
from sweep.verdict.tables import Block
from tests.sweep.own_data import BASE, refused, write_all
from tests.sweep.records.test_stored import SWEEP
from tests.sweep.tracked import begin, finish_teacher, make_result, make_rows

pytestmark = pytest.mark.usefixtures("only_given_places")

BOTH = ["labels_only", "none_matched_compute"]
NARROW = {**BASE["model"], "student_blocks": 3, "student_width": 6}
STEPS = 4000


def base(**fields: Any) -> dict[str, Any]:
    return {**BASE, "model": NARROW, "init": "random", "train": {"max_steps": STEPS, "batch_size": 2}, **fields}


def names(cells: list[Cell]) -> list[str]:
    return [strategy_label(cell.shown.strategy) for cell in cells]


def test_each_group_has_one_cell_of_each_baseline(tmp_path: Path) -> None:
    axes = {"strategy": ["none", "forward", "reverse"], "init": ["random", "teacher"], "seed": [0, 1]}
    wide = base(model={**NARROW, "student_width": None}, train={"max_steps": 1_000_000})
    plain = prepare(write_all(tmp_path, base=wide, axes=axes)).cells
    cells = prepare(write_all(tmp_path, base=wide, axes=axes, baselines=BOTH)).cells
    assert cells[: len(plain)] == plain
    added = cells[len(plain) :]
    assert names(added) == ["labels_only"] * 4 + ["none_matched_compute"] * 4
    assert [(each.config.init, each.config.seed) for each in added] == [
        ("random", 0), ("random", 1), ("teacher", 0), ("teacher", 1),
    ] * 2  # fmt: skip
    for each in added:
        assert each.config.strategy.kind == "none"
        assert each.origin is not None
        none = next(
            cell for cell in plain
            if (cell.config.strategy.kind, cell.config.init, cell.config.seed)
            == ("none", each.config.init, each.config.seed)
        )  # fmt: skip
        changed = {"losses.kl"} if each.baseline == "labels_only" else {"train.max_steps"}
        assert differing(none.config.model_dump(), each.config.model_dump()) - {"losses.hidden"} == changed
        assert (each.data, each.teacher_hash) == (none.data, none.teacher_hash)
    assert {each.config.losses.kl for each in added[:4]} == {0.0}
    assert len({cell.fingerprint for cell in cells}) == len(cells)


def differing(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> set[str]:
    paths: set[str] = set()
    for key, value in one.items():
        if isinstance(value, dict) and isinstance(other[key], dict):
            paths |= differing(value, other[key], f"{prefix}{key}.")
        elif value != other[key]:
            paths.add(f"{prefix}{key}")
    return paths


def test_the_steps_of_matched_compute_are_those_that_cost_as_much(tmp_path: Path) -> None:
    """By hand: a student of 3 blocks of width 6 under a teacher of width 12, four states matched by projections."""
    checked = prepare(
        write_all(tmp_path, base=base(), axes={"strategy": ["none", "forward"]}, baselines=["none_matched_compute"])
    )
    none, forward, matched = checked.cells
    sizes = checked.sizes()
    operations = 6 * student_size(sizes[none.fingerprint]).used + 2 * teacher_size(sizes[none.fingerprint]).used
    matching = 4 * (PROJECTION * 6 * 12 + DISTANCE * 12)
    assert step_operations(sizes[none.fingerprint]) == operations
    assert step_operations(sizes[forward.fingerprint]) == operations + matching
    assert matched.config.train.max_steps == round(STEPS * (1 + matching / operations))
    assert matched.config.train.max_steps > STEPS


def test_epochs_count_as_the_steps_that_they_have(tmp_path: Path) -> None:
    train = {"epochs": 3000.0, "batch_size": 2}
    path = write_all(tmp_path, base=base(train=train), axes={"strategy": ["none", "forward"]}, baselines=BOTH)
    *_, matched = prepare(path).cells
    assert matched.config.train.max_steps is not None
    assert 3000 < matched.config.train.max_steps < 6000
    assert matched.config.train.epochs == 10


def test_a_baseline_that_trains_as_a_cell_does_is_left_out(tmp_path: Path) -> None:
    """Of one step matching costs less than half a step more, and with losses.kl 0 none has labels alone."""
    axes = {"strategy": ["none", "forward"], "losses.kl": [0, 1]}
    path = write_all(tmp_path, base=base(train={"max_steps": 1}), axes=axes, baselines=BOTH)
    assert len(prepare(path).cells) == 4


def test_what_no_axis_of_the_group_moves_is_shared(tmp_path: Path) -> None:
    axes = {"strategy": ["none", "forward"], "losses.hidden": [1, 3]}
    cells = prepare(write_all(tmp_path, base=base(), axes=axes, baselines=BOTH)).cells
    assert names(cells) == ["none", "forward", "forward", *BOTH]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("baselines=[labels]",
         "baselines[0]: got 'labels'; expected 'labels_only' or 'none_matched_compute'"),
        ("baselines=[labels_only, labels_only]",
         "baselines: got ['labels_only', 'labels_only']; give each one once"),
        ("axes.strategy=[none]",
         "baselines[1]: got 'none_matched_compute'; there is no matching strategy whose cost it could have; give one "
         "in axes.strategy, or leave it out"),
        ("base.losses.ce=0",
         "baselines[0]: got 'labels_only'; a cell with losses.ce 0 would learn from nothing; leave it out, or give "
         "losses.ce a weight"),
        ("search={fields: {losses.kl: {low: 0.1, high: 1}}}",
         "baselines: got labels_only beside search.fields.losses.kl, which would give it a KL term"),
    ],
)  # fmt: skip
def test_a_baseline_that_cannot_be(tmp_path: Path, override: str, line: str) -> None:
    path = write_all(tmp_path, base=base(), axes={"strategy": ["none", "forward"]}, baselines=BOTH)
    assert refused(path, override) == [line]


def test_a_search_tunes_a_baseline_as_a_group_of_its_own(tmp_path: Path) -> None:
    search = {"fields": {"train.learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}}}
    axes = {"strategy": ["none", "forward"], "seed": [0, 1]}
    path = write_all(tmp_path, base=base(), axes=axes, baselines=["labels_only"], search=search)
    checked = prepare(path)
    assert checked.config.search is not None
    own, forward, labels_only = groups(checked.cells, checked.config.search)
    assert labels_only.label == "own · labels_only · random"
    tried = labels_only.candidate({"train.learning_rate": 5e-4})
    assert (tried.baseline, tried.config.losses.kl, tried.config.train.learning_rate) == ("labels_only", 0.0, 5e-4)
    assert [(each.baseline, each.config.seed) for each in labels_only.chosen({"train.learning_rate": 5e-4})] == [
        ("labels_only", 0), ("labels_only", 1),
    ]  # fmt: skip
    shared = checked.config.search.model_copy(update={"share": {"strategy": "forward"}})
    (group,) = groups(checked.cells, shared)
    assert group.tried.fingerprint == groups(checked.cells[2:4], shared)[0].tried.fingerprint
    assert [each.baseline for each in group.chosen({"train.learning_rate": 5e-4})][-1] == "labels_only"
    assert own.label != forward.label


def finished(folder: Path) -> tuple[Records, list[Cell]]:
    """A sweep of two seeds in which labels alone reach 0.6, KL 0.7 and matching 0.8, with noise of 0.01."""
    axes = {"strategy": ["none", "forward"], "seed": [0, 1, 2]}
    checked = prepare(write_all(folder, base=base(), axes=axes, baselines=BOTH))
    records = Records(Storage(checked.config.storage_url))
    (teacher,) = checked.teacher_sources
    finish_teacher(records.teacher(teacher), {"best/accuracy": 0.9, "test/accuracy": 0.9})
    scores = {"none": 0.7, "forward": 0.8, "labels_only": 0.6, "none_matched_compute": 0.72}
    for cell in checked.cells:
        attempt = begin(records.cell(cell.fingerprint))
        attempt.journal.write(make_rows(1, 2))
        name = strategy_label(cell.shown.strategy)
        value = scores[name] + 0.01 * ((cell.config.seed + len(name)) % 3)
        attempt.commit(make_result(attempt, metrics={"best/accuracy": value, "test/accuracy": value}))
    return records, checked.cells


def test_baselines_stand_beside_the_strategies_and_in_no_question_of_theirs(tmp_path: Path) -> None:
    records, cells = finished(tmp_path)
    (section,) = summary.sections(results.rows(records, cells))
    assert section.strategies == ["none", "forward", *BOTH]
    comparison = summary.compare(section.of("random"))
    assert list(comparison.matching) == ["forward"]
    evidence = gather([section], VerdictSettings(), records)
    block = Block("own", "words", "", "random")
    (answer,) = evidence.verdict.of(block)
    assert answer.table.strategies == ("none", "forward")
    pairs = {(each.first, each.second): each.mean.value for each in evidence.baselines[block]}
    assert pairs == pytest.approx(
        {("none", "labels_only"): 0.1, ("forward", "labels_only"): 0.2,
         ("none", "none_matched_compute"): -0.02, ("forward", "none_matched_compute"): 0.08},
        abs=1e-9,
    )  # fmt: skip
    shown = proof(block, "here", evidence)
    assert shown is not None
    assert [line.names for line in shown.differences] == [
        "forward minus none",
        "none minus labels_only",
        "forward minus labels_only",
        "none minus none_matched_compute",
        "forward minus none_matched_compute",
    ]
    assert shown.sentences[-1].startswith("Forward gains 0.080 over none_matched_compute (95% interval ")
    assert shown.sentences[-2].startswith("None loses 0.020 against none_matched_compute (95% interval ")


def test_a_baseline_has_its_name_in_plan_runs_and_the_stored_sweep(tmp_path: Path) -> None:
    records, cells = finished(tmp_path)
    checked = prepare(tmp_path / "sweep.yaml")
    labels_only = next(cell for cell in cells if cell.baseline == "labels_only")
    assert Plan.of(checked, records).labels[labels_only.fingerprint] == "own · labels_only · random · s0"
    run = RunSpec.of_cell(labels_only, "a label", "parent", {})
    assert run.tags[tags.STRATEGY] == run.params[tags.STRATEGY_PARAM] == "labels_only"
    assert run.params["losses.kl"] == "0.0"
    stored = Sweep.model_validate({**SWEEP, "cells": cells}).model_dump_json()
    assert Sweep.model_validate_json(stored).cells == tuple(cells)
