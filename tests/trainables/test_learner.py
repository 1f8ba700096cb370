"""What a learner computes without being read: a step that is not finite is found later, with its step and terms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainables.config import TrainConfig
from trainables.draws import Draws
from trainables.errors import NotFinite
from trainables.learner import Learner, learning_rate_factor
from trainables.metrics import Metrics
from trainables.validation import Measures

CPU = torch.device("cpu")


class Line(nn.Module):
    """An objective whose loss is weight times the batch's number, and that is its own model."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        self.model: Any = self

    def totals(self, batch: dict[str, Tensor]) -> Metrics:
        return {"numbers": 1.0}

    def begin_step(self, step: int) -> None:
        """Nothing depends on the step."""

    def forward(self, batch: dict[str, Tensor]) -> Any:
        return self.weight * batch["number"]

    def terms(self, batch: dict[str, Tensor], seen: Any, wanted: Any, totals: Metrics) -> dict[str, Tensor]:
        loss = seen / totals["numbers"]
        return {"loss": loss, "loss_ce": loss.detach()}


def learner(**train: Any) -> Learner:
    line: Any = Line()
    return Learner(
        config=TrainConfig.model_validate({"learning_rate": 1.0, "weight_decay": 0.0, **train}),
        num_steps=10,
        objective=line,
        module=line,
        draws=Draws(0, CPU),
        device=CPU,
        dtype="fp32",
        report=lambda step, metrics: None,
        evaluated=lambda step, measures: measures.task["accuracy"],
        save_best=lambda: saved.append(len(saved)),
        checkpoint=lambda step: None,
    )


saved: list[int] = []


def step(one: Learner, number: int, *batches: float) -> None:
    for each in batches:
        one.learn({"number": torch.tensor(each)}, None, {"numbers": 2.0})
    one.update(number)


def test_a_step_is_read_as_the_sum_of_its_micro_batches() -> None:
    one = learner()
    step(one, 1, 2.0, 5.0)
    assert one.read() == {
        "train/loss": 3.5,
        "train/loss_ce": 3.5,
        "train/lr": 1.0,
        "train/grad_norm": 3.5,
    }


def test_the_last_of_several_steps_is_read_once_and_stays() -> None:
    one = learner()
    step(one, 1, 100.0)
    step(one, 2, 3.0, 1.0)
    found = one.read()
    assert found["train/grad_norm"] == 2.0
    assert found["train/lr"] == 0.9
    assert one.read() == found


def test_the_first_step_that_is_not_finite_is_told_with_its_terms() -> None:
    one = learner()
    step(one, 1, 1.0)
    one.read()
    step(one, 2, 4.0)
    step(one, 3, 1.0, float("inf"))
    step(one, 4, 1.0)
    with pytest.raises(NotFinite, match=r"^not finite at step 3: loss (-?inf|nan), loss_ce \S+, grad_norm inf$"):
        one.read()


def test_an_evaluation_that_is_not_finite_keeps_no_student() -> None:
    one = learner()
    saved.clear()
    with pytest.raises(NotFinite, match=r"^not finite at step 7: loss nan$"):
        one.judge(7, Measures({"loss": float("nan")}, {"accuracy": 1.0}))
    assert (one.best_step, saved) == (0, [])


def test_the_best_student_is_the_first_of_the_highest_metric() -> None:
    one = learner()
    saved.clear()
    for number, accuracy in enumerate([0.2, 0.5, 0.5, 0.4], start=1):
        one.judge(number, Measures({"loss": 1.0}, {"accuracy": accuracy}))
    assert (one.best_step, one.best, len(saved)) == (2, 0.5, 2)


def test_who_leaves_holds_neither_gradients_nor_moments() -> None:
    one = learner()
    step(one, 1, 1.0)
    one.learn({"number": torch.tensor(1.0)}, None, {"numbers": 1.0})
    assert one.optimizer.state
    error = NotFinite("not finite at step 1: loss nan")
    one.leave(error)
    assert one.error is error
    assert not one.optimizer.state
    assert all(parameter.grad is None for parameter in one.parameters)


@pytest.mark.parametrize(
    ("warmup_steps", "factors"),
    [(0, [1, 0.75, 0.5, 0.25, 0]), (3, [0.25, 0.5, 0.75, 1, 0])],
)
def test_the_rate_rises_to_one_and_falls_to_zero(warmup_steps: int, factors: list[float]) -> None:
    assert [learning_rate_factor(step, warmup_steps, 4) for step in range(5)] == factors


def test_patience_counts_the_evaluations_since_the_best_one() -> None:
    one = learner(patience=2)
    over: list[bool] = []
    for number, accuracy in enumerate([0.2, 0.1, 0.3, 0.3, 0.2], start=1):
        one.judge(number, Measures({"loss": 1.0}, {"accuracy": accuracy}))
        over.append(one.is_over)
    assert over == [False, False, False, False, True]
    again = learner(patience=2)
    again.restore(one.state())
    assert again.num_stale == 2
    assert again.is_over
