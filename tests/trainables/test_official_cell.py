"""The official semantics in whole cells, and what of them only a model can show: dropout, fixed projections."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.trainables.alone import distil
from tests.trainables.families.settings import SETTINGS, Setting
from tests.trainables.golden import FILE, NORMS, NUM_STEPS, SHAPES, Losses, config, losses, save_teacher
from trainables.cell import Cell
from trainables.cohort import Cohort
from trainables.config import LossConfig, TrialConfig
from trainables.draws import Draws
from trainables.heads import Head
from trainables.loop import Lockstep
from trainables.metrics import Metrics
from trainables.official import OFFICIAL, check
from trainables.strategies import NoMatching
from trainables.student import PROJECTIONS
from trainables.targets import Targets
from trainables.tasks.batches import epoch_order


@pytest.mark.parametrize("family", SHAPES)
def test_a_cell_under_each_semantics(family: str) -> None:
    official: Losses = json.loads(FILE.read_text())["losses"][family]["forward, official"]
    clean = losses(config(family, "forward", losses={"hidden_norm": NORMS[family]}))
    assert official["train/loss_hidden"][0] != pytest.approx(clean["train/loss_hidden"][0], rel=0.05)
    for step in range(5):
        parts = [official[f"train/loss_{term}"][step] for term in ("ce", "kl", "hidden")]
        assert official["train/loss"][step] == pytest.approx(parts[0] + parts[1] + 3 * parts[2], rel=1e-5)


def batches_of(cell: TrialConfig, monkeypatch: pytest.MonkeyPatch) -> list[list[list[int]]]:
    """For each step of a cell, its micro-batches as example indices."""
    seen: list[list[list[int]]] = []
    step = Lockstep._step

    def recorded(training: Lockstep, number: int, indices: list[list[int]]) -> None:
        seen.append(indices)
        step(training, number, indices)

    with monkeypatch.context() as patch:
        patch.setattr(Lockstep, "_step", recorded)
        losses(cell)
    return seen


def test_official_batches_are_drawn_at_random_whatever_the_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 examples in micro-batches of 2, two a step."""
    orders = [epoch_order([1] * 16, 2, 0, epoch, at_random=True) for epoch in range(2)]
    steps = [order[start : start + 2] for order in orders for start in range(0, 8, 2)]
    given = config("t5", "forward, official")
    assert batches_of(given, monkeypatch) == steps[:NUM_STEPS]
    assert batches_of(given.model_copy(update={"strategy": NoMatching()}), monkeypatch) == steps[:NUM_STEPS]
    assert batches_of(config("t5", "forward"), monkeypatch) != steps[:NUM_STEPS]


@pytest.mark.parametrize("setting", [each for each in SETTINGS if each.family.name in ("bart", "t5")], ids=str)
def test_the_teachers_dropout_moves_its_targets_and_is_off_again(setting: Setting) -> None:
    teacher, batch = setting.teacher(), setting.batch()
    targets, again = (Targets(setting.family, teacher, draws=Draws(3, torch.device("cpu"))) for _ in range(2))
    still, shaken, anew = (
        targets(batch).logits,
        targets(batch, training=True).logits,
        targets(batch, training=True).logits,
    )
    assert not any(torch.allclose(one, other, atol=1e-3) for one, other in ((still, shaken), (shaken, anew)))
    assert not teacher.training
    assert torch.equal(targets(batch).logits, still)
    torch.rand(5)
    assert torch.equal(again(batch, training=True).logits, shaken)


@pytest.mark.parametrize(
    ("family", "semantics", "has_dropout"),
    [
        ("bert", "official", False),
        ("bart", "official", True),
        ("t5", "official", True),
        ("qwen3", "official", False),
        ("bart", "clean", False),
    ],
)
def test_whose_teachers_drop_out(family: str, semantics: str, has_dropout: bool, tmp_path: Path) -> None:
    cell = config(family, "forward", losses={"semantics": semantics, "hidden_norm": NORMS[family]})
    cohort = Cohort(cell, save_teacher(cell, tmp_path), tmp_path, 1)
    cohort.begin([], 0)
    assert (cohort.targets.draws is not None) == has_dropout


@pytest.mark.parametrize(("semantics", "is_moved"), [("clean", True), ("official", False)])
def test_projections_are_trained_and_saved_but_under_berts_quirk(
    semantics: str, is_moved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = config("bert", "forward, narrow", losses={"semantics": semantics})
    data = save_teacher(cell, tmp_path / "teacher")
    (tmp_path / "cell").mkdir()
    before: dict[str, Tensor] = {}
    begin = Cell.begin

    def begun(self: Cell) -> None:
        before.update({name: tensor.clone() for name, tensor in self.student.projections.state_dict().items()})
        begin(self)

    monkeypatch.setattr(Cell, "begin", begun)
    metrics: Metrics = {}
    distil(cell, data, tmp_path / "teacher", tmp_path / "cell", lambda _step, measured: metrics.update(measured))
    saved = load_file(tmp_path / "cell" / "student" / PROJECTIONS)
    assert before.keys() == saved.keys()
    assert all(torch.equal(tensor, saved[name]) != is_moved for name, tensor in before.items())
    assert ("angle/encoder/cos_mean" in metrics) == is_moved


def test_what_runs_above_is_what_the_public_code_has() -> None:
    for name, norm in NORMS.items():
        config = LossConfig.model_validate({"semantics": "official", "hidden_norm": norm})
        assert check(name, "any", Head(OFFICIAL[name].head), config) == []
