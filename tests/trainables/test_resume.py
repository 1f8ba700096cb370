"""A cell that is cut anywhere and goes on, in another cohort and folder, ends bit for bit like one in one piece."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainables.alone import timeless
from tests.trainables.golden import SHAPES, config
from tests.trainables.test_cohort import CELLS, SHALLOW, Common, Computed, Journal, Lab, computed, files_of
from trainables import clock, distill, finetune
from trainables.cell import Cell
from trainables.checkpoints import BEST
from trainables.cohort import Cohort
from trainables.config import TrainConfig, TrialConfig
from trainables.draws import Draws
from trainables.loop import Lockstep, accumulated
from trainables.member import Member
from trainables.metrics import Metrics
from trainables.state import State
from trainables.steps import Schedule
from trainables.tasks import read
from trainables.validation import Measures

NUM_STEPS = 6
ALWAYS = 1e-12
"""Minutes between checkpoints: one behind every step."""


@pytest.fixture(autouse=True, scope="module")
def _at_any_price() -> Iterator[None]:
    """Checkpoints may take all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "MOST_SHARE", 1)
        yield


class Cut(BaseException):
    """The process ends."""


@dataclass
class Kept:
    """Checkpoints in a folder, of the steps that are to be kept alone."""

    folder: Path
    steps: Sequence[int] = range(1, NUM_STEPS + 1)

    def save(self, step: int, folder: Path) -> None:
        if step in self.steps:
            shutil.copytree(folder, self.folder / str(step))

    def latest(self) -> Path | None:
        return max(self.folder.iterdir(), key=lambda path: int(path.name), default=None)

    @property
    def state(self) -> State:
        latest = self.latest()
        assert latest is not None
        return State.read(latest)


@dataclass
class Cutting:
    """A report that is cut at a step: at its losses, or at its evaluation where it has one."""

    step: int
    at_evaluation: bool = False

    def __call__(self, step: int, metrics: Metrics) -> None:
        if step == self.step and ("eval/loss" in metrics if self.at_evaluation else "train/loss" in metrics):
            raise Cut


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"))


def long_cell(common: Common, index: int) -> TrialConfig:
    """A cell of 6 steps, evaluated at every third; with two micro-batches per step, step 5 begins its second epoch."""
    every = 3 * common.accumulation / 8
    return common.cell(index, max_steps=NUM_STEPS, evaluate_every=every, checkpoint_minutes=ALWAYS)


def cut(lab: Lab, members: Sequence[Member]) -> None:
    """Runs a cohort that is cut."""
    path, data = lab.teacher(members[0].config.model.family)
    with pytest.raises(Cut):
        distill.run(members, data, path)


def resumed(lab: Lab, members: Sequence[Member]) -> list[Computed]:
    path, data = lab.teacher(members[0].config.model.family)
    again: list[Any] = [replace(member, folder=lab.new_folder(), report=Journal()) for member in members]
    results = distill.run(again, data, path)
    return [computed(result, each.report, each.folder) for result, each in zip(results, again, strict=True)]


def same_end(whole: Computed, rest: Computed, done: int) -> None:
    """Whether the rest, from behind step `done`, is the end of the whole."""
    assert rest.outcome == whole.outcome
    assert rest.files == whole.files
    assert rest.reports == (whole.reports if done == 0 else [row for row in whole.reports if row[0] > done])


@pytest.mark.parametrize("family", SHAPES)
@settings(max_examples=2)
@given(data=st.data())
def test_a_cell_that_is_cut_and_goes_on_in_another_cohort_ends_as_in_one_piece(
    lab: Lab, family: str, data: st.DataObject
) -> None:
    common = Common(
        family,
        data.draw(st.sampled_from(["official", "clean"])),
        data.draw(st.sampled_from([2, 1])),
        data.draw(st.sampled_from(["bf16", "fp32"])),
    )
    first, second, third = (
        Member(long_cell(common, index), lab.new_folder(), Journal(), Kept(lab.new_folder()))
        for index in data.draw(st.permutations(range(len(CELLS))))[:3]
    )
    cut_at = data.draw(st.sampled_from([5, 4, 3, 1, 6]))
    done = data.draw(st.sampled_from([step for step in (3, 5, 4, 2, 1, 0) if step < cut_at]))
    for each in (first, second, third):
        each.checkpoints.steps = [done]  # type: ignore[union-attr]
    at_evaluation = data.draw(st.booleans()) and cut_at % 3 == 0
    cut(lab, [second, replace(first, report=Cutting(cut_at, at_evaluation))])
    cut(lab, [replace(third, report=Cutting(cut_at))])
    same_end(lab.run_alone(first.config), resumed(lab, [first, third])[0], done)


def member(lab: Lab, cell: TrialConfig, *steps: int) -> tuple[Member, Kept]:
    kept = Kept(lab.new_folder(), steps or range(1, NUM_STEPS + 1))
    return Member(cell, lab.new_folder(), Journal(), kept), kept


def test_a_cell_that_is_cut_behind_its_last_step_is_only_tested(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    one, kept = member(lab, long_cell(Common("bert"), SHALLOW))
    whole = lab.run_alone(one.config)
    path, data = lab.teacher("bert")
    distill.run([one], data, path)
    monkeypatch.setattr(Lockstep, "_step", None)
    (rest,) = resumed(lab, [one])
    assert rest.outcome == whole.outcome
    assert rest.files == whole.files
    assert [set(metrics) for _, metrics in rest.reports] == [set(whole.reports[-1][1])]
    assert kept.latest() == kept.folder / str(NUM_STEPS)


@given(
    num_examples=st.integers(1, 20),
    batch_size=st.integers(1, 4),
    accumulation=st.integers(1, 3),
    done=st.integers(0, 25),
    at_random=st.booleans(),
)
def test_the_order_of_the_data_goes_on_within_an_epoch(
    num_examples: int, batch_size: int, accumulation: int, done: int, at_random: bool
) -> None:
    """The order of data must not restart at a resumed epoch."""
    train = TrainConfig(batch_size=batch_size, accumulation=accumulation)
    lengths = [1 + index % 3 for index in range(num_examples)]
    whole = islice(accumulated(lengths, train, 3, at_random=at_random), done, done + 9)
    rest = islice(accumulated(lengths, train, 3, at_random=at_random, done=done), 9)
    assert list(rest) == list(whole)


@pytest.mark.parametrize("family", ["bert", "bart"])
def test_random_states_are_those_of_the_checkpoint_whatever_is_made_and_drawn_around_it(
    lab: Lab, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No init overwrites a restored random state, and no seed is drawn anew: of students, nor of BART's teacher."""
    cell = long_cell(Common(family, "official"), SHALLOW)
    one, kept = member(lab, cell, 3)
    cut(lab, [replace(one, report=Cutting(4))])
    found: list[Draws] = []
    run = Lockstep.run

    def begun(training: Lockstep) -> None:
        found.extend(learner.draws for learner in training.learners)
        assert training.targets is not None
        found.extend([training.targets.draws] if training.targets.draws else [])
        run(training)

    monkeypatch.setattr(Lockstep, "run", lambda training: begun(training))
    stored = [kept.state.part("learner").part("draws"), kept.state.part("teacher")][: 2 if family == "bart" else 1]
    states: list[torch.Tensor] = []
    restore = Draws.restore

    def restored(draws: Draws, state: State) -> None:
        restore(draws, state)
        states.append(draws.state().tensors["host"])

    monkeypatch.setattr(Draws, "restore", restored)
    resumed(lab, [one])
    assert len(found) == len(states) == len(stored)
    for state, wanted in zip(states, stored, strict=True):
        assert torch.equal(state, wanted.tensors["host"])
        assert not torch.equal(state, Draws(0, torch.device("cpu")).state().tensors["host"])


def test_the_best_so_far_is_remembered_with_its_student(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first evaluation is the best of all, and lies before the cut."""
    evaluated = Cell._evaluated

    def worse(self: Cell, step: int, measures: Measures) -> float:
        evaluated(self, step, measures)
        return -float(step)

    monkeypatch.setattr(Cell, "_evaluated", worse)
    cell = long_cell(Common("bert"), SHALLOW)
    path, data = lab.teacher("bert")
    whole, _ = member(lab, cell)
    (made,) = distill.run([whole], data, path)
    one, kept = member(lab, cell, 3)
    cut(lab, [replace(one, report=Cutting(5))])
    latest = kept.latest()
    assert latest is not None
    assert (latest / BEST / "model.safetensors").exists()
    (rest,) = resumed(lab, [one])
    assert not isinstance(made, Exception)
    assert rest.outcome == (timeless(made.metrics), 3, made.mapping)
    assert rest.files == files_of(whole.folder)


def test_cells_at_different_steps_are_no_cohort(lab: Lab) -> None:
    common = Common("bert")
    one, _ = member(lab, long_cell(common, SHALLOW), 2)
    cut(lab, [replace(one, report=Cutting(3))])
    fresh, _ = member(lab, long_cell(common, 0))
    with pytest.raises(ValueError, match="values to unpack"):
        resumed(lab, [one, fresh])


def test_a_teacher_that_is_cut_and_goes_on_is_the_same(tmp_path: Path) -> None:
    fields = config("t5", "forward").model_dump()
    train = {"max_steps": NUM_STEPS, "batch_size": 4, "evaluate_every": 0.5, "checkpoint_minutes": ALWAYS}
    fields["model"]["finetune"] |= train
    trial = TrialConfig.model_validate(fields)
    data, kept = read(trial.task), Kept(tmp_path / "kept", [3])
    kept.folder.mkdir()
    journals = Journal(), Journal()

    def make(name: str, report: Any, checkpoints: Kept | None) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        return finetune.run(trial.model, trial.task, data, folder, report, "fp32", 1, checkpoints)

    whole = make("whole", journals[0], None)
    with pytest.raises(Cut):
        make("cut", Cutting(5), kept)
    rest = make("rest", journals[1], kept)
    assert timeless(rest.metrics) == timeless(whole.metrics)
    assert (rest.best_step, rest.num_steps) == (whole.best_step, whole.num_steps)
    assert journals[1].rows == [row for row in journals[0].rows if row[0] > 3]
    assert files_of(tmp_path / "rest") == files_of(tmp_path / "whole")


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    tensors = {
        "a": torch.tensor([0.1, float("nan")], dtype=torch.float64),
        "b": torch.arange(6, dtype=torch.uint8).view(2, 3).mT,
        "c": torch.tensor(1.5, dtype=torch.bfloat16),
    }
    facts = {"best": float("-inf"), "rate": 0.1 + 0.2, "steps": [1, 2], "names": {"x": None}}
    State.joined({"one": State(tensors, facts), "two": State()}).write(tmp_path)
    back = State.read(tmp_path)
    assert back.part("two") == State()
    one = back.part("one")
    assert one.facts == facts
    for name, tensor in tensors.items():
        assert one.tensors[name].dtype == tensor.dtype
        assert torch.equal(one.tensors[name].nan_to_num(7), tensor.nan_to_num(7))


def test_a_checkpoint_has_all_that_changes_and_nothing_that_is_frozen(lab: Lab) -> None:
    """Of a student with adapters: its trained weights, two moments of each, and streams."""
    one, kept = member(lab, long_cell(Common("qwen3"), 2), 2)
    cut(lab, [replace(one, report=Cutting(3))])
    path, data = lab.teacher("qwen3")
    cohort = Cohort(one.config, data, path, 1)
    cell = Cell(
        replace(one, folder=lab.new_folder()), cohort, Schedule.of(one.config.train, len(data.train)), cohort.device
    )
    trained = {name for name, each in cell.student.named_parameters() if each.requires_grad}
    learner = kept.state.part("learner")
    assert learner.part("weights").tensors.keys() == trained
    moments = [name.partition("/")[2] for name in learner.part("optimizer").tensors]
    assert sorted(moments) == sorted(["step", "exp_avg", "exp_avg_sq"] * len(trained))
