"""The probe over all families: which states have angles, and that a measurement can be taken again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.trainables.families.settings import Setting
from tests.trainables.test_student import make
from trainables.probe import Probe
from trainables.strategies import Mapping


@pytest.fixture
def probe(setting: Setting, teacher: PreTrainedModel, batch: dict[str, Tensor]) -> Probe:
    probe = Probe(setting.family, teacher, [], 0, 1, torch.device("cpu"))
    probe.batches = [batch]
    probe.teacher = [setting.family.forward(teacher, batch)]
    return probe


def mapped(setting: Setting, mapping: Mapping) -> dict[str, Mapping]:
    return dict.fromkeys(setting.family.stacks, mapping)


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
