"""Cohorts: a cell's numbers are the same bit for bit alone and beside any others, and what is shared is made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from tests.trainables.alone import timeless
from tests.trainables.golden import SHAPES, config, save_teacher
from trainables import distill
from trainables.cell import Cell
from trainables.cohort import Cohort
from trainables.config import TrialConfig
from trainables.device import Placement
from trainables.errors import NotFinite
from trainables.families.base import Outputs
from trainables.member import Member
from trainables.metrics import Metrics
from trainables.own_metrics import METRICS, Metric
from trainables.steps import Schedule
from trainables.targets import Copies
from trainables.tasks.batches import Batch
from trainables.tasks.rows import Data

NORMS = {"bert": "none", "bart": "layernorm", "t5": "none", "qwen3": "l2"}
LORA = {"r": 2, "alpha": 8, "dropout": 0.2}
CELLS: list[dict[str, Any]] = [
    {"strategy": "forward", "init": "random", "model": {"student_width": 8}},
    {"strategy": "none", "init": "teacher", "train": {"optimizer": "adafactor", "freeze_embeddings": True}},
    {"strategy": "random", "init": "teacher", "model": {"lora": {"student": LORA}}},
    {"strategy": "all_to_one", "init": "random", "train": {"learning_rate": 1e-2, "gradient_checkpointing": True}},
    {"strategy": "reverse", "init": "teacher", "model": {"student_blocks": 2}, "losses": {"hidden": 0.5}},
    {
        "strategy": {"kind": "in_order_random", "redraw": "epoch"},
        "init": "block_influence",
        "losses": {"hidden": {"from": 3, "to": 0, "until": 0.5}},
    },
]
"""What the cells of a cohort may differ in."""
NARROW, FROZEN, ADAPTED, CHECKPOINTED, SHALLOW, CHANGING = range(len(CELLS))


@dataclass(frozen=True)
class Common:
    """What the cells of a cohort have in common."""

    family: str
    semantics: Literal["clean", "official"] = "clean"
    accumulation: int = 1
    dtype: Literal["fp32", "bf16"] = "fp32"

    def cell(self, index: int, **train: Any) -> TrialConfig:
        """One of `CELLS`: 3 steps, with evaluations at the second and the third."""
        whole, own = config(self.family, "forward").model_dump(), CELLS[index]
        steps = {"max_steps": 3, "accumulation": self.accumulation, "evaluate_every": self.accumulation / 4}
        losses = {"semantics": self.semantics, "hidden_norm": NORMS[self.family]}
        changes = {
            **own,
            "dtype": self.dtype,
            "model": whole["model"] | own.get("model", {}),
            "losses": losses | own.get("losses", {}),
            "train": whole["train"] | steps | own.get("train", {}) | train,
        }
        return TrialConfig.model_validate(whole | changes)


@dataclass
class Journal:
    """What is reported of a cell, but for times and rates."""

    rows: list[tuple[int, Metrics]] = field(default_factory=list)

    def __call__(self, step: int, metrics: Metrics) -> None:
        self.rows.append((step, timeless(metrics)))


@dataclass(frozen=True)
class Computed:
    """All that a cell gives and leaves, but for times and rates."""

    outcome: tuple[object, ...]
    reports: list[tuple[int, Metrics]]
    files: dict[str, object]


def computed(result: distill.Result, journal: Journal, folder: Path) -> Computed:
    if isinstance(result, Exception):
        return Computed((type(result), str(result)), journal.rows, {})
    return Computed((timeless(result.metrics), result.best_step, result.mapping), journal.rows, files_of(folder))


def files_of(folder: Path) -> dict[str, object]:
    """Tensors and arrays by their bits, and all other files that are to be read by people."""
    files: dict[str, object] = {}
    for path in folder.rglob("*"):
        if path.suffix == ".safetensors":
            files[path.name] = {name: (each.dtype, each.numpy().tobytes()) for name, each in load_file(path).items()}
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                files[path.name] = {name: (str(array.dtype), array.tobytes()) for name, array in arrays.items()}
        elif path.suffix in (".json", ".jsonl"):
            files[path.name] = path.read_text()
    return files


class Lab:
    """Cohorts of tiny cells, whose teachers are made once, and what their cells are alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.teachers: dict[str, tuple[Path, Data]] = {}
        self.alone: dict[str, Computed] = {}
        self.num_folders = 0

    def teacher(self, family: str) -> tuple[Path, Data]:
        if family not in self.teachers:
            path = self.folder / family
            self.teachers[family] = path, save_teacher(config(family, "forward"), path)
        return self.teachers[family]

    def new_folder(self) -> Path:
        self.num_folders += 1
        folder = self.folder / str(self.num_folders)
        folder.mkdir()
        return folder

    def members(self, cells: Sequence[TrialConfig]) -> list[Member]:
        return [Member(cell, self.new_folder(), Journal()) for cell in cells]

    def run(self, cells: Sequence[TrialConfig]) -> list[Computed]:
        path, data = self.teacher(cells[0].model.family)
        members: Any = self.members(cells)
        results = distill.run(members, data, path)
        return [computed(result, each.report, each.folder) for result, each in zip(results, members, strict=True)]

    def run_alone(self, cell: TrialConfig) -> Computed:
        key = cell.model_dump_json()
        if key not in self.alone:
            (self.alone[key],) = self.run([cell])
        return self.alone[key]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"))


@pytest.mark.parametrize("family", SHAPES)
@settings(max_examples=2)
@given(
    commons=st.builds(
        Common,
        family=st.just("bert"),
        semantics=st.sampled_from(["official", "clean"]),
        accumulation=st.sampled_from([2, 1]),
        dtype=st.sampled_from(["bf16", "fp32"]),
    ),
    chosen=st.lists(st.sampled_from(range(len(CELLS))), min_size=2, max_size=3, unique=True),
)
def test_a_cell_is_the_same_alone_and_in_any_cohort(lab: Lab, family: str, commons: Common, chosen: list[int]) -> None:
    common = Common(family, commons.semantics, commons.accumulation, commons.dtype)
    cells = [common.cell(index) for index in chosen]
    for cell, together in zip(cells, lab.run(cells), strict=True):
        alone = lab.run_alone(cell)
        assert together.outcome == alone.outcome
        assert together.reports == alone.reports
        assert together.files == alone.files
        assert {"model.safetensors", "angles.npz", "per_state.json", "predictions.jsonl"} <= alone.files.keys()
        assert [step for step, metrics in alone.reports if "eval/loss" in metrics] == [2, 3]


def test_a_cell_whose_patience_is_over_leaves_and_the_others_go_on(lab: Lab) -> None:
    """At a rate of almost 0 no evaluation is better than the first; its numbers are those that it has alone."""
    common = Common("bert")
    steps = {"max_steps": 5, "evaluate_every": 1 / 8}
    cells = [common.cell(NARROW, **steps), common.cell(SHALLOW, **steps, patience=2, learning_rate=1e-12)]
    together = lab.run(cells)
    for cell, one in zip(cells, together, strict=True):
        assert one == lab.run_alone(cell)
    evaluated = [[step for step, metrics in one.reports if "eval/loss" in metrics] for one in together]
    assert evaluated == [[1, 2, 3, 4, 5], [1, 2, 3]]
    assert [one.reports[-1][0] for one in together] == [5, 3]  # where the test is reported
    assert together[1].outcome[1] == 1
    endless = lab.run_alone(common.cell(SHALLOW, **steps, learning_rate=1e-12))
    assert endless.files["model.safetensors"] == together[1].files["model.safetensors"]


def test_cells_of_a_cohort_differ(lab: Lab) -> None:
    """So that equal numbers say something: each cell has losses of its own."""
    common = Common("bert")
    losses = [str(lab.run_alone(common.cell(index)).reports) for index in range(len(CELLS))]
    assert len(set(losses)) == len(CELLS)


def test_the_teachers_dropout_is_drawn_anew_for_each_batch_and_moves_no_student(lab: Lab) -> None:
    """Of a cell that weighs nothing of its teacher, the student is the one that learns under a teacher at rest."""
    labels_only = {"kl": 0.0, "hidden": 0.0, "hidden_norm": "layernorm"}
    reports: list[list[tuple[int, Metrics]]] = []
    for dropout in (0.0, 0.5):
        cell = Common("bart", "official").cell(SHALLOW)
        cell = cell.model_copy(update={"losses": cell.losses.model_copy(update=labels_only)})
        path, data = lab.teacher("bart")
        member: Any = lab.members([cell])[0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Cohort, "begin", with_dropout(Cohort.begin, dropout))
            distill.run([member], data, path)
        reports.append(member.report.rows)
    still, shaken = ([metrics for _, metrics in rows if "train/loss" in metrics] for rows in reports)
    assert [each["train/loss"] for each in still] == [each["train/loss"] for each in shaken]
    assert all(one["train/loss_kl"] != other["train/loss_kl"] for one, other in zip(still, shaken, strict=True))


def with_dropout(begin: Callable[..., None], dropout: float) -> Callable[..., None]:
    """`Cohort.begin`, with dropout of this strength in the teacher."""

    def changed(cohort: Cohort, *args: Any) -> None:
        for module in cohort.teacher.modules():
            if isinstance(getattr(module, "dropout", None), float):
                module.dropout = dropout
        begin(cohort, *args)

    return changed


@pytest.mark.parametrize("num_members", [1, 3])
def test_the_teacher_runs_once_for_each_micro_batch(
    lab: Lab, num_members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 steps of 2 micro-batches, 2 batches of the validation split in all evaluations, 2 of the probe."""
    passes: list[int] = []

    def counted(cohort: Cohort, *args: Any) -> None:
        cohort.teacher.register_forward_pre_hook(lambda *_: passes.append(1))
        begin(cohort, *args)

    begin = Cohort.begin
    monkeypatch.setattr(Cohort, "begin", counted)
    lab.run([Common("bert", accumulation=2).cell(index) for index in range(num_members)])
    assert len(passes) == 3 * 2 + 2 + 2


@pytest.mark.parametrize("family", SHAPES)
def test_students_on_other_devices_have_the_same_numbers(
    lab: Lab, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three devices of this machine's CPU, of which the first is the teacher's."""
    cells = [Common(family).cell(index) for index in (NARROW, FROZEN, ADAPTED)]
    alone = [lab.run_alone(cell) for cell in cells]
    first, *others = [torch.device("cpu", index) for index in range(3)]
    used: list[torch.device] = []
    on = Copies.on

    def copied(copies: Copies, device: torch.device) -> tuple[Batch, Outputs | None]:
        used.append(device)
        return on(copies, device)

    monkeypatch.setattr("trainables.device.placement", lambda _: Placement(first, tuple(others)))
    monkeypatch.setattr(Copies, "on", copied)
    for one, spread in zip(alone, lab.run(cells), strict=True):
        assert (spread.outcome, spread.reports, spread.files) == (one.outcome, one.reports, one.files)
    assert used[:3] == [others[0], others[1], others[0]]


def test_weights_are_shared_on_each_device_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = [torch.device("cpu", index) for index in range(3)]
    monkeypatch.setattr("trainables.device.placement", lambda _: Placement(first, tuple(others)))
    adapted = Common("qwen3").cell(ADAPTED)
    path, data = lab.teacher("qwen3")
    cohort = Cohort(adapted, data, path, 1)
    schedule, members = Schedule.of(adapted.train, len(data.train)), lab.members([adapted] * 4)
    cells = [Cell(each, cohort, schedule, cohort.placement.student(index)) for index, each in enumerate(members)]
    cohort.begin([cell.teacher_states() for cell in cells], 0)
    one, two, three, four = ({id(p) for p in cell.student.parameters() if not p.requires_grad} for cell in cells)
    assert one == three
    assert two == four
    assert not one & two
    assert not (one | two) & set(map(id, cohort.teacher.parameters()))


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_frozen_weights_are_held_once(lab: Lab, dtype: Literal["fp32", "bf16"]) -> None:
    """Embeddings that are frozen, and all beside the adapters of two students: the teacher's own."""
    common = Common("qwen3", dtype=dtype)
    frozen, adapted = common.cell(FROZEN), common.cell(ADAPTED)
    path, data = lab.teacher("qwen3")
    cohort = Cohort(frozen, data, path, 1)
    schedule = Schedule.of(frozen.train, len(data.train))
    cells = [Cell(member, cohort, schedule, cohort.device) for member in lab.members([frozen, adapted, adapted])]
    cohort.begin([cell.teacher_states() for cell in cells], 0)
    of_teacher = set(map(id, cohort.teacher.parameters()))
    for cell, least in zip(cells, (1, 3 * 7, 3 * 7), strict=True):
        held = [each for each in cell.student.parameters() if not each.requires_grad]
        shared = [each for each in held if id(each) in of_teacher]
        assert len(shared) == len(held) >= least
        assert not any(id(each) in of_teacher for each in cell.student.parameters() if each.requires_grad)


def test_a_student_that_is_not_finite_leaves_and_the_others_go_on(lab: Lab) -> None:
    common = Common("bart")
    breaks, cell = common.cell(NARROW, learning_rate=1e37), common.cell(SHALLOW)
    left, stayed, again = lab.run([breaks, cell, breaks])
    assert left == again == lab.run_alone(breaks)
    kind, message = left.outcome
    assert kind is NotFinite
    assert str(message).startswith("not finite at step 2: loss nan, ")
    assert stayed == lab.run_alone(cell)


def test_a_student_that_cannot_be_made_stops_no_other(lab: Lab) -> None:
    cell = Common("bert").cell(SHALLOW)
    broken = cell.model_copy(update={"model": cell.model.model_copy(update={"student_blocks": 7})})
    refused, made = lab.run([broken, cell])
    assert refused.outcome == (ValueError, "student_blocks: got 7; the teacher's encoder has 6 blocks")
    assert made == lab.run_alone(cell)


@pytest.mark.parametrize("is_main", [True, False], ids=["the main metric", "another metric"])
def test_a_metric_that_fails_for_one_student_stops_no_other(
    lab: Lab, is_main: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of a person's own, in the second of all evaluations of two cells; only the main one stops its student."""
    calls: list[int] = []

    def own(_predicted: Sequence[Any], _right: Sequence[Any]) -> dict[str, float]:
        calls.append(1)
        return {"own": float("nan") if len(calls) == 2 else 0.0}

    monkeypatch.setitem(METRICS, "own", Metric("classification", ("own",), own))
    cells = [Common("bert").cell(index) for index in (SHALLOW, FROZEN)]
    main = {"metric": "own" if is_main else "accuracy"}
    cells = [cell.model_copy(update={"task": cell.task.model_copy(update=main)}) for cell in cells]
    stayed, other = lab.run(cells)
    assert [step for step, metrics in stayed.reports if "eval/own" in metrics] == [2, 3]
    if is_main:
        assert other.outcome == (ValueError, "metric classification: own: own is nan; expected a finite number")
    else:
        assert [step for step, metrics in other.reports if "eval/own" in metrics] == [3]
        assert [step for step, metrics in other.reports if "eval/accuracy" in metrics] == [2, 3]


def test_seconds_are_shared_out(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each member's are its share, so that those of a cohort add up to the time that it took."""
    path, data = lab.teacher("bert")
    members = lab.members([Common("bert").cell(index) for index in (FROZEN, SHALLOW)])
    ticks = iter(range(10**6))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    results = distill.run(members, data, path)
    took = next(ticks)
    metrics = [result.metrics for result in results if not isinstance(result, Exception)]
    assert len(metrics) == 2
    totals = [each["seconds/total"] for each in metrics]
    assert took - 5 < sum(totals) <= took
    for each in metrics:
        assert 0 < each["seconds/targets"] < each["seconds/total"]
        assert 0 < each["seconds/eval"] < each["seconds/total"]


def test_no_weight_that_is_trained_is_another_students(lab: Lab) -> None:
    common = Common("bert")
    path, data = lab.teacher("bert")
    cohort = Cohort(common.cell(0), data, path, 1)
    schedule = Schedule.of(common.cell(0).train, len(data.train))
    chosen = [common.cell(index) for index in (SHALLOW, SHALLOW, NARROW)]
    cells = [Cell(member, cohort, schedule, cohort.device) for member in lab.members(chosen)]
    trained: list[nn.Parameter] = [each for cell in cells for each in cell.learner.parameters]
    assert len({each.data_ptr() for each in trained}) == len(trained)
    assert all(torch.is_floating_point(each) for each in trained)
