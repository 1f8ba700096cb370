"""Fields without an effect move no loss of a cell, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trainables.golden import NUM_STEPS, config, losses
from trainables.inert import inert_fields, without_inert

NARROW = {"student_width": 8}
ODD = {"start": "orthogonal", "bias": True, "learning_rate": 0.5}
LORA = {"student": {"r": 2}}
TRAIN = {"max_steps": NUM_STEPS, "batch_size": 2}


def cell(strategy: str, model: dict[str, Any], **changes: Any) -> Any:
    given = config("bert", strategy)
    fields = given.model_dump(mode="json")
    return type(given).model_validate({**fields, **changes, "model": {**fields["model"], **model}})


@pytest.mark.parametrize(
    ("strategy", "model", "changes", "inert"),
    [
        ("none", {}, {"losses": {"hidden": 7, "hidden_norm": "l2"}}, {"losses.hidden", "losses.hidden_norm"}),
        ("none", {**NARROW, "projection": ODD}, {"init": "random"}, {"model.projection"}),
        ("forward", {"projection": ODD}, {}, {"model.projection"}),
        ("forward", {"copy_classifier": True}, {"init": "random"}, {"model.copy_classifier"}),
        ("forward", {}, {"train": {**TRAIN, "epochs": 3}}, {"train.epochs"}),
        ("forward", {"lora": LORA}, {"train": {**TRAIN, "freeze_embeddings": True}}, {"train.freeze_embeddings"}),
    ],
)
def test_a_field_without_effect_moves_nothing(
    strategy: str, model: dict[str, Any], changes: dict[str, Any], inert: set[str]
) -> None:
    changed = cell(strategy, model, **changes)
    plain = without_inert(changed)
    assert inert <= inert_fields(changed)
    assert plain != changed
    assert without_inert(plain) == plain
    assert losses(plain) == losses(changed)
