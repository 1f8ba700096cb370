"""What changes during a training: the weights of the loss, and mappings that are drawn anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tests.trainables.alone import distil
from tests.trainables.golden import config, save_teacher
from tests.trainables.test_cohort import Journal
from trainables import distill, losses
from trainables.cell import Cell
from trainables.config import LossConfig, Ramp, TrialConfig, weight_at
from trainables.metrics import Metrics
from trainables.objective import Distillation


def test_a_ramp_is_linear_and_then_constant() -> None:
    ramp = LossConfig.model_validate({"hidden": {"from": 3, "to": 1, "until": 0.5}}).hidden
    assert [weight_at(ramp, done) for done in (0, 0.125, 0.25, 0.5, 0.75, 1)] == [3, 2.5, 2, 1, 1, 1]
    assert weight_at(0.25, 0.9) == 0.25
    assert isinstance(ramp, Ramp)
    assert ramp.model_dump(mode="json") == {"from": 3, "to": 1, "until": 0.5}


@pytest.mark.parametrize(
    "fields",
    [
        {"hidden": {"from": -1, "to": 0}},
        {"hidden": {"from": 1}},
        {"hidden": {"from": 1, "to": 0, "until": 0}},
        {"ce": 0, "kl": {"from": 0, "to": 0}},
        {"distance": "euclid"},
        {"own": "euclid"},
    ],
)
def test_impossible_losses_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LossConfig.model_validate(fields)


def trial(**changes: Any) -> TrialConfig:
    fields = config("bert", "forward").model_dump()
    train = fields["train"] | {"max_steps": 6, "evaluate_every": 0.75}
    return TrialConfig.model_validate(fields | {"train": train} | changes)


def run(cell: TrialConfig, folder: Path) -> tuple[list[tuple[int, Metrics]], distill.Outcome]:
    journal = Journal()
    data = save_teacher(cell, folder / "teacher")
    (folder / "cell").mkdir()
    return journal.rows, distil(cell, data, folder / "teacher", folder / "cell", journal)


def test_the_loss_of_each_step_has_the_weights_of_that_step(tmp_path: Path) -> None:
    weights = {"ce": {"from": 0, "to": 1}, "kl": 0.5, "hidden": {"from": 3, "to": 0, "until": 0.5}}
    rows, _ = run(trial(losses=weights), tmp_path)
    seen: list[int] = []
    for step, metrics in rows:
        for part in ("train", "eval"):
            if f"{part}/loss" in metrics:
                ce, hidden = (step - 1) / 6, 3 - 3 * min(1, (step - 1) / 3)
                terms = [metrics[f"{part}/loss_{name}"] for name in ("ce", "kl", "hidden")]
                assert metrics[f"{part}/loss"] == pytest.approx(ce * terms[0] + 0.5 * terms[1] + hidden * terms[2])
                seen.append(step)
    assert set(seen) == {1, 2, 3, 4, 5, 6}


def test_a_mapping_is_drawn_anew_at_each_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: dict[int, dict[str, Any]] = {}
    begin = Distillation.begin_step

    def begun(self: Distillation, step: int) -> None:
        begin(self, step)
        used[step] = self.mappings

    monkeypatch.setattr(Distillation, "begin_step", begun)
    cells: list[Cell] = []
    made = Cell.begin
    monkeypatch.setattr(Cell, "begin", lambda self: (cells.append(self), made(self))[1])
    cell = trial(strategy={"kind": "in_order_random", "redraw": "epoch"}, seed=1)
    _, outcome = run(cell, tmp_path)
    (one,) = cells
    per_epoch = one.objective.schedule.steps_per_epoch  # type: ignore[union-attr]
    assert used == {step: one.mappings[(step - 1) // per_epoch] for step in range(1, 7)}
    assert len({str(each) for each in one.mappings}) > 1
    assert outcome.mapping == one.mappings[0]
    once = trial(strategy="in_order_random", seed=1)
    (tmp_path / "once").mkdir()
    assert run(once, tmp_path / "once")[1].mapping == one.mappings[0]


def test_the_weighted_sum_of_states() -> None:
    states = [torch.full((2, 3), value, dtype=torch.bfloat16) for value in (1.0, 2.0, 4.0)]
    assert losses.weighted(states, 2) is states[2]
    mixed = losses.weighted(states, {0: 0.5, 2: 0.5})
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, torch.full((2, 3), 2.5))


def test_a_student_of_a_weighted_sum_has_its_gradient(tmp_path: Path) -> None:
    """A sum with one weight of 1 is the state itself."""
    depth = config("bert", "forward").model.student_blocks
    plain = [*range(1, depth + 1)]
    rows = []
    for name, states in (("plain", plain), ("sum", [{state: 1.0} for state in plain])):
        (tmp_path / name).mkdir()
        rows.append(run(trial(strategy={"kind": "custom", "states": states}), tmp_path / name)[0])
    assert rows[0] == rows[1]
