"""The probe over all families: which states have angles, and that a measurement can be taken again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.trainables.families.settings import Setting
from tests.trainables.test_student import make
from trainables.families.states import forward
from trainables.probe import Probe, without_logits
from trainables.strategies import StateMapping


@pytest.fixture
def probe(setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]) -> Probe:
    probe = Probe(setting.family, teacher, [], 0, 1, torch.device("cpu"))
    probe.batches = [batch]
    probe.teacher = [forward(setting.family, teacher, batch)]
    return probe


def mapped(setting: Setting, mapping: StateMapping) -> dict[str, StateMapping]:
    return dict.fromkeys(setting.family.stacks, mapping)


def test_nothing_but_states_is_kept_of_the_teacher(
    setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]
) -> None:
    seen = forward(setting.family, teacher, batch)
    kept = without_logits(seen, torch.device("cpu"))
    assert kept.logits.numel() == kept.all_logits.numel() == 0
    assert all(
        torch.equal(one, two) for s in seen.states for one, two in zip(kept.states[s], seen.states[s], strict=True)
    )
    elsewhere = without_logits(seen, torch.device("meta"))
    assert {state.device.type for states in elsewhere.states.values() for state in states} == {"meta"}


def test_only_states_with_a_trained_projection_have_angles(
    setting: Setting, teacher: PreTrainedModel, probe: Probe
) -> None:
    student = make(setting, teacher, init="random", student_width=8)
    for stack, angles in probe.measure(student, mapped(setting, {1: 2, 3: 6})).angles.items():
        arrays = angles.arrays()
        measured = arrays["count"].sum((1, 2)) > 0
        assert measured.tolist() == [False, True, False, True]
        assert np.isnan(arrays["cos_mean"][[0, 2]]).all()
        num_tokens = int(probe.teacher[0].masks[stack].sum())
        assert (arrays["left_out"][[0, 2]] == num_tokens).all()


def test_angles_are_seen_through_the_projections(setting: Setting, teacher: PreTrainedModel, probe: Probe) -> None:
    student = make(setting, teacher, init="random", student_width=8)
    measured = probe.measure(student, mapped(setting, {1: 2}))
    outputs = forward(setting.family, student.model, probe.batches[0])
    for stack, angles in measured.angles.items():
        weight_ED = student.state_dict()[f"projections.{stack}.1.weight"]
        state_ND = outputs.states[stack][1][outputs.masks[stack]].detach()
        differences = [
            (state_BTE[outputs.masks[stack]] - state_ND @ weight_ED.mT).double().numpy()
            for state_BTE in probe.teacher[0].states[stack]
        ]
        for i, k in ((1, 2), (2, 6), (5, 6)):
            lengths = [np.linalg.norm(differences[n], axis=-1) for n in (i, k)]
            cosine = ((differences[i] * differences[k]).sum(-1) / (lengths[0] * lengths[1])).mean()
            assert angles.arrays()["cos_mean"][1, i, k] == pytest.approx(cosine, abs=1e-5)
        with torch.no_grad():
            student.projections.get_submodule(f"{stack}.1").get_parameter("weight").neg_()
    assert probe.measure(student, mapped(setting, {1: 2})).metrics() != measured.metrics()


def test_projections_that_are_not_trained_have_no_angles(
    setting: Setting, teacher: PreTrainedModel, probe: Probe
) -> None:
    student = make(setting, teacher, init="random", student_width=8)
    student.projections.requires_grad_(False)
    assert probe.measure(student, mapped(setting, {1: 2, 3: 6})).metrics() == {}


def test_without_matching_another_width_has_no_angles(setting: Setting, teacher: PreTrainedModel, probe: Probe) -> None:
    student = make(setting, teacher, init="random", student_width=8)
    measurement = probe.measure(student, mapped(setting, {}))
    assert measurement.metrics() == {}


def test_at_the_teachers_width_every_state_has_angles(setting: Setting, teacher: PreTrainedModel, probe: Probe) -> None:
    student = make(setting, teacher, init="random")
    one, again = (probe.measure(student, mapped(setting, {})) for _ in range(2))
    assert one.metrics() == again.metrics()
    assert len(one.metrics()) == 2 * len(setting.family.stacks)
    assert all((angles.arrays()["count"].sum((1, 2)) > 0).all() for angles in one.angles.values())
